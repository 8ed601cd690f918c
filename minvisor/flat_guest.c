// A flat guest: an image without a header that starts in real mode at 0000:7C00.

#include "minvisor.h"

// Call last: the image may overwrite what the loader left below 1 MiB.
void flat_guest_load(struct range image)
{
  u64 size = image.end - image.start;

  if (size == 0 || size > FLAT_GUEST_END - FLAT_GUEST_START)
    panic("module 0 is no bzImage (no \"HdrS\") and, with %lu bytes, no flat image either; a flat "
          "image has 1 to %u bytes",
          size, FLAT_GUEST_END - FLAT_GUEST_START);
  memmove((void *)FLAT_GUEST_START, (const void *)image.start, size);
  vmcb_enter_real_mode(FLAT_GUEST_START, FLAT_GUEST_STACK);
  log("guest flat image, %lu bytes at 0x%x", size, FLAT_GUEST_START);
}

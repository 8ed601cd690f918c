// Hypercalls: what the guest may ask for, by the number in EAX.

#include "warden.h"

#define VMMCALL_LENGTH 3
#define NO_SUCH_CALL 0xffffffff

static void copy_name(struct ward *ward, const char *from)
{
  u32 i = 0;

  for (; i + 1 < sizeof ward->name && from[i]; i++)
    ward->name[i] = from[i];
  ward->name[i] = 0;
}

struct outcome handle_call(struct ward *ward)
{
  struct ward_registers *registers = &ward->registers;

  switch ((u32)ward->vmcb->rax) {
  case CALL_SUM:
    ward->vmcb->rax = registers->ebx + registers->ecx;
    break;
  case CALL_NAME:
    copy_name(ward, AT_HPA(WARD_LOW_HPA + registers->ebx % SIZE_2MIB));
    break;
  case CALL_END:
    ward->state = WARD_ENDED;
    return (struct outcome){ 0, VMMCALL_LENGTH };
  default:
    ward->vmcb->rax = NO_SUCH_CALL;
  }
  return done(VMMCALL_LENGTH);
}

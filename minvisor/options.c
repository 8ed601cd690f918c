// MinVisor's own command line: which intercepts to add for whoever wants to watch the guest.

#include "minvisor.h"

struct options options;

static const struct {
  const char *name;
  bool *option;
} intercept_names[] = {
  { "io", &options.intercept_io },
  { "msr", &options.intercept_msr },
  { "hlt", &options.intercept_hlt },
  { "intr", &options.intercept_intr },
};

static bool starts_with(const char *text, const char *prefix)
{
  return memcmp(text, prefix, strlen(prefix)) == 0;
}

// Reads one name of the list and returns what follows it.
static const char *read_intercept(const char *text)
{
  for (u32 i = 0; i < COUNT_OF(intercept_names); i++) {
    const char *rest = text + strlen(intercept_names[i].name);

    if (starts_with(text, intercept_names[i].name) && (*rest == ',' || *rest == ' ' || !*rest)) {
      *intercept_names[i].option = true;
      return rest;
    }
  }
  panic("the command line asks for an unknown intercept at \"%s\"; known are io, msr, hlt, intr",
        text);
}

// The words of the command line; the first may be the image's file name, as some loaders put it.
void options_read(const char *command_line)
{
  static const char intercept[] = "intercept=";
  bool is_first = true;

  while (*command_line == ' ')
    command_line++;
  while (*command_line) {
    if (starts_with(command_line, intercept)) {
      const char *list = command_line + sizeof intercept - 1;

      while (*list && *list != ' ') {
        list = read_intercept(list);
        if (*list == ',')
          list++;
      }
    } else if (!is_first) {
      panic("unknown option \"%s\" on the command line; known is intercept=io,msr,hlt,intr",
            command_line);
    }
    is_first = false;
    command_line = skip_word(command_line);
  }
}

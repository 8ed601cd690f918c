// Text on COM1.

#include "warden.h"

#define COM1 0x3f8
#define LINE_STATUS (COM1 + 5)
#define HAS_ROOM 0x20
#define IS_DRAINED 0x40

static void put(char character)
{
  while (!(in8(LINE_STATUS) & HAS_ROOM))
    ;
  out8(COM1, character);
}

void say(const char *text)
{
  while (*text)
    put(*text++);
}

void say_number(const char *label, u32 number)
{
  static const char digits[] = "0123456789abcdef";
  char text[9];
  u32 length = 0;

  do {
    text[length++] = digits[number & 15];
    number >>= 4;
  } while (number);
  say(label);
  while (length)
    put(text[--length]);
  put('\n');
}

void drain(void)
{
  while (!(in8(LINE_STATUS) & IS_DRAINED))
    ;
}

// MinVisor's log on COM2 (a 16550 UART), which the guest cannot reach.

#include <stdarg.h>

#include "minvisor.h"

enum uart_register {
  UART_DATA = 0,
  UART_DIVISOR_LOW = 0,
  UART_INTERRUPT_ENABLE = 1,
  UART_DIVISOR_HIGH = 1,
  UART_FIFO_CONTROL = 2,
  UART_LINE_CONTROL = 3,
  UART_LINE_STATUS = 5,
};

#define LINE_CONTROL_8N1 0x03
#define LINE_CONTROL_DIVISOR 0x80
#define FIFO_ENABLE_AND_CLEAR 0x07
#define LINE_STATUS_ROOM 0x20
#define DIVISOR_115200 1

// A UART that never drains must not stop MinVisor.
#define ROOM_POLLS_MAX 100000

void console_init(void)
{
  out8(PORT_COM2 + UART_INTERRUPT_ENABLE, 0);
  out8(PORT_COM2 + UART_LINE_CONTROL, LINE_CONTROL_DIVISOR);
  out8(PORT_COM2 + UART_DIVISOR_LOW, DIVISOR_115200);
  out8(PORT_COM2 + UART_DIVISOR_HIGH, 0);
  out8(PORT_COM2 + UART_LINE_CONTROL, LINE_CONTROL_8N1);
  out8(PORT_COM2 + UART_FIFO_CONTROL, FIFO_ENABLE_AND_CLEAR);
}

static void put_char(char c)
{
  for (u32 polls = 0; polls < ROOM_POLLS_MAX; polls++)
    if (in8(PORT_COM2 + UART_LINE_STATUS) & LINE_STATUS_ROOM)
      break;
  out8(PORT_COM2 + UART_DATA, c);
}

static void put_text(const char *text)
{
  while (*text)
    put_char(*text++);
}

// Writes value in the base given, with zeros in front up to width digits.
static void put_number(u64 value, u32 base, u32 width)
{
  char digits[20];
  u32 count = 0;

  do {
    digits[count++] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value);
  while (width > count) {
    put_char('0');
    width--;
  }
  while (count > 0)
    put_char(digits[--count]);
}

// One conversion of log(): [0 and one digit of width] [l] and one of s u x.
static const char *put_conversion(const char *format, va_list *arguments)
{
  u32 width = 0;
  bool is_long = false;

  if (format[0] == '0') {
    width = format[1] - '0';
    format += 2;
  }
  if (*format == 'l') {
    is_long = true;
    format++;
  }
  if (*format == 's') {
    put_text(va_arg(*arguments, const char *));
  } else {
    u64 value = is_long ? va_arg(*arguments, u64) : va_arg(*arguments, u32);

    put_number(value, *format == 'x' ? 16 : 10, width);
  }
  return format + 1;
}

static void put_formatted(const char *format, va_list *arguments)
{
  while (*format) {
    if (*format == '%')
      format = put_conversion(format + 1, arguments);
    else
      put_char(*format++);
  }
}

// Writes one line, "minvisor: " in front, for test programs to read. Knows %s %u %x %lu %lx and a
// width as in %08x.
void log(const char *format, ...)
{
  va_list arguments;

  va_start(arguments, format);
  put_text("minvisor: ");
  put_formatted(format, &arguments);
  put_char('\n');
  va_end(arguments);
}

void panic(const char *format, ...)
{
  va_list arguments;

  va_start(arguments, format);
  put_text("minvisor: panic: ");
  put_formatted(format, &arguments);
  put_char('\n');
  end_machine(END_PANIC);
}

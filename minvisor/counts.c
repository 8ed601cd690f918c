// Counts of exits by reason, CPUID leaf, MSR and port, and the lines that report them.

#include "minvisor.h"

// One line of a report. Keys are counted in the order in which they first came.
struct counter {
  u64 key;
  u64 count;
};

// A table that is full counts the keys beyond it together, so that no exit goes uncounted.
struct counter_table {
  struct counter *counters;
  u32 used, capacity;
  u64 overflow;
};

#define TABLE(name, size)                                                                          \
  static struct counter name##_counters[size];                                                     \
  static struct counter_table name = { name##_counters, 0, size, 0 }

TABLE(exits, 32);
TABLE(cpuid_leaves, 512);
TABLE(msrs, 256);
TABLE(ports, 256);

#define MSR_KEY_WRITE (1ul << 32)
#define PORT_KEY_IN (1ul << 32)
#define KEY_VERDICT_SHIFT 33

static void count(struct counter_table *table, u64 key)
{
  for (u32 i = 0; i < table->used; i++) {
    if (table->counters[i].key == key) {
      table->counters[i].count++;
      return;
    }
  }
  if (table->used == table->capacity) {
    table->overflow++;
    return;
  }
  table->counters[table->used++] = (struct counter){ key, 1 };
}

// The name's address is the key: names are those of the table in exit.c.
void count_exit(const char *name)
{
  count(&exits, (u64)name);
}

void count_cpuid(u32 leaf)
{
  count(&cpuid_leaves, leaf);
}

void count_msr(u32 msr, bool is_write, enum verdict verdict)
{
  count(&msrs, (u64)verdict << KEY_VERDICT_SHIFT | (is_write ? MSR_KEY_WRITE : 0) | msr);
}

void count_port(u16 port, bool is_in, enum verdict verdict)
{
  count(&ports, (u64)verdict << KEY_VERDICT_SHIFT | (is_in ? PORT_KEY_IN : 0) | port);
}

static const char *verdict_name(u64 key)
{
  static const char *const names[] = { "passed", "mediated", "refused" };

  return names[key >> KEY_VERDICT_SHIFT];
}

static void log_overflow(const char *what, const struct counter_table *table)
{
  if (table->overflow > 0)
    log("%s others %lu", what, table->overflow);
}

// One line a counter. The forms are an interface (scripts/qemu-boot.mjs reads them):
//   exit NAME COUNT
//   cpuid 0xLEAF COUNT
//   msr 0xNUMBER read|write passed|mediated|refused COUNT
//   port 0xNUMBER in|out passed|mediated|refused COUNT
//   exit|cpuid|msr|port others COUNT
void log_counts(void)
{
  const struct counter *counter;

  for (counter = exits.counters; counter < exits.counters + exits.used; counter++)
    log("exit %s %lu", (const char *)counter->key, counter->count);
  log_overflow("exit", &exits);
  for (counter = cpuid_leaves.counters; counter < cpuid_leaves.counters + cpuid_leaves.used;
       counter++)
    log("cpuid 0x%08x %lu", (u32)counter->key, counter->count);
  log_overflow("cpuid", &cpuid_leaves);
  for (counter = msrs.counters; counter < msrs.counters + msrs.used; counter++)
    log("msr 0x%08x %s %s %lu", (u32)counter->key, counter->key & MSR_KEY_WRITE ? "write" : "read",
        verdict_name(counter->key), counter->count);
  log_overflow("msr", &msrs);
  for (counter = ports.counters; counter < ports.counters + ports.used; counter++)
    log("port 0x%04x %s %s %lu", (u32)counter->key, counter->key & PORT_KEY_IN ? "in" : "out",
        verdict_name(counter->key), counter->count);
  log_overflow("port", &ports);
}

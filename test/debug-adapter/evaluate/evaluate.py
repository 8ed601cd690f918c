# Run by gdb: stops at a line, and prints as one JSON object the state of the innermost frame and
# what gdb makes of each expression of a file, in that frame.
import json

KINDS = {gdb.TYPE_CODE_PTR: "pointer", gdb.TYPE_CODE_FLT: "float"}


def described(text):
    try:
        value = gdb.parse_and_eval(text)
        plain = value.type.strip_typedefs()
        kind = KINDS.get(plain.code, "integer")
        shown = repr(float(value)) if kind == "float" else str(int(value))
        signed = plain.code not in (gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_FLT) and plain.is_signed
        return {"kind": kind, "value": shown, "size": plain.sizeof, "signed": signed}
    except (gdb.error, OverflowError) as problem:
        return {"kind": "error", "value": str(problem), "size": 0, "signed": False}


def memory_at(start, length):
    return [str(start), bytes(gdb.selected_inferior().read_memory(start, length)).hex()]


gdb.execute("set width 0")
gdb.execute("set language c")
gdb.execute("set confirm off")
stack_end = start()
gdb.execute("break " + place)
gdb.execute("continue", to_string=True)
frame = gdb.newest_frame()
is64 = frame.architecture().name().endswith("x86-64")
order = "ax dx cx bx si di bp sp ip".split()
names = [("r" if is64 else "e") + each for each in order]
names += ["r%d" % i for i in range(8, 16)] if is64 else []
word = (1 << 64) - 1
registers = {name: str(int(frame.read_register(name)) & word) for name in names}
top = int(frame.read_register("rsp" if is64 else "esp"))
memory = [memory_at(start, length) for start, length in data_ranges]
memory.append(memory_at(top - 256, min(1024, stack_end - top + 256)))
with open(expressions) as file:
    texts = json.load(file)
stop = {"pc": str(frame.pc()), "registers": registers, "memory": memory, "frames": []}
print("RESULT " + json.dumps({"stop": stop, "values": [described(text) for text in texts]}))
gdb.execute("kill")

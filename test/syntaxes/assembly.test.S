// SYNTAX TEST "source.asm.gnu-x86" "GNU assembler source for x86"

// A comment
// <---------- comment.line.double-slash.gnu-x86

  /* a block */ hlt
//^^^^^^^^^^^^^ comment.block.gnu-x86
//              ^^^ keyword.mnemonic.gnu-x86

  nop # to the end
//^^^ keyword.mnemonic.gnu-x86
//    ^^^^^^^^^^^^ comment.line.number-sign.gnu-x86

#define CR0_PG (1 << 31)
// <------- keyword.control.directive.gnu-x86
//      ^^^^^^ entity.name.function.preprocessor.gnu-x86
//              ^ constant.numeric.gnu-x86
//                ^^ keyword.operator.gnu-x86

#include "cpu.h" // the host's
// <-------- keyword.control.directive.gnu-x86
//       ^^^^^^^ string.quoted.double.gnu-x86
//               ^^^^^^^^^^^^^ comment.line.double-slash.gnu-x86

  .globl vmrun
//^^^^^^ keyword.control.directive.gnu-x86
//       ^^^^^ entity.name.type.symbol.gnu-x86

  .section .start, "ax"
//^^^^^^^^ keyword.control.directive.gnu-x86
//         ^^^^^^ entity.name.type.symbol.gnu-x86
//                 ^^^^ string.quoted.double.gnu-x86

  .cfi_adjust_cfa_offset 8
//^^^^^^^^^^^^^^^^^^^^^^ keyword.control.directive.gnu-x86
//                       ^ constant.numeric.gnu-x86

vmrun:
// <----- entity.name.function.label.gnu-x86

  mov $0xc0000080, %ecx
//^^^ keyword.mnemonic.gnu-x86
//    ^ keyword.operator.immediate.gnu-x86
//     ^^^^^^^^^^ constant.numeric.gnu-x86
//                 ^^^^ variable.language.register.gnu-x86

  mov GUEST_RBX(%rsi,%rax,8), %rbx
//    ^^^^^^^^^ - variable.language.register.gnu-x86
//              ^^^^ variable.language.register.gnu-x86
//                   ^^^^ variable.language.register.gnu-x86
//                        ^ constant.numeric.gnu-x86

  lock cmpxchg %rdx, (%rdi)
//^^^^ keyword.other.prefix.gnu-x86
//     ^^^^^^^ keyword.mnemonic.gnu-x86

  rep; stosb
//^^^ keyword.mnemonic.gnu-x86
//     ^^^^^ keyword.mnemonic.gnu-x86

1: jmp 1b
// <- entity.name.function.label.gnu-x86
// ^^^ keyword.mnemonic.gnu-x86
//     ^^ constant.numeric.local-label.gnu-x86

  .macro print_routine name
//^^^^^^ keyword.control.directive.gnu-x86
//       ^^^^^^^^^^^^^ entity.name.function.macro.gnu-x86

\name:
// <----- entity.name.function.label.gnu-x86

  call \name
//^^^^ keyword.mnemonic.gnu-x86
//     ^^^^^ variable.parameter.macro.gnu-x86

  .asciz "line\r\n"
//^^^^^^ keyword.control.directive.gnu-x86
//       ^^^^^^^^^^ string.quoted.double.gnu-x86
//            ^^ constant.character.escape.gnu-x86

  vmrun %rax
//^^^^^ keyword.mnemonic.gnu-x86
//      ^^^^ variable.language.register.gnu-x86

  value = 4 + 2
//^^^^^ - keyword.mnemonic.gnu-x86
//      ^ keyword.operator.gnu-x86

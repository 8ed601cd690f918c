// SYNTAX TEST "source.asm.gnu-x86" "An assertion that does not hold"
  vmrun %rax
//      ^^^^ keyword.mnemonic.gnu-x86

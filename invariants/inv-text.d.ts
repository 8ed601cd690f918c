/** An .inv file is imported as its text. */
declare module "*.inv" {
  const text: string;
  export default text;
}

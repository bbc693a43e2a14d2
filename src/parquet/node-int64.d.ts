/** What the types of `parquets` refer to and nothing here declares. */
declare module "node-int64" {
  class Int64 {
    valueOf(): number;
  }
  export = Int64;
}

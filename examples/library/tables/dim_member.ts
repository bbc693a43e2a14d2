import { boolean, date, defineTable, integer, key } from "../../../src/table.ts";
import { member } from "./sources.ts";

export default defineTable({
  name: "dim_member",
  description: "One row per member. Names stay in the library.",
  source: member,
  columns: {
    member_id: key(integer),
    joined: date,
    is_child: boolean,
  },
  format: (member) => ({
    member_id: member.member_id,
    joined: member.joined,
    is_child: member.is_child,
  }),
});

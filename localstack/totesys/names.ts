// Words that the shop's names and addresses are made of. The odd ones are here on purpose: apostrophes,
// commas, quotes, letters beyond ASCII and a misspelt city all occur in real shops and must come through.

/** The eight departments: name, location, manager. `Leds` is a typo to be kept; one has no location. */
export const DEPARTMENTS: readonly (readonly [string, string | null, string | null])[] = [
  ["Sales", "Manchester", "Rosalind Achebe"],
  ["Purchasing", "Manchester", "Tobias Lindqvist"],
  ["Production", "Leeds", "Marguerite Osei"],
  ["Dispatch", "Leds", "Callum Drysdale"],
  ["Finance", "Manchester", "Ines Carvalho"],
  ["Facilities", "Manchester", null],
  ["Communications", null, "Bronwen Pugh"],
  ["HR", "Leeds", "Kwame Addo"],
];

/** What a department is renamed to, when a demonstration renames one. */
export const NEW_DEPARTMENT_NAMES = [
  "Shipping",
  "Logistics",
  "Procurement",
  "People",
  "Workshop",
  "Accounts",
  "Estates",
  "Press Office",
  "Trade Desk",
] as const;

/** The currencies the shop trades in. */
export const CURRENCIES = ["GBP", "USD", "EUR"] as const;

/** The kinds of payment, in the order of their ids. */
export const PAYMENT_TYPES = [
  "SALES_RECEIPT",
  "SALES_REFUND",
  "PURCHASE_PAYMENT",
  "PURCHASE_REFUND",
] as const;

/** The staff's names. */
export const STAFF: readonly (readonly [string, string])[] = [
  ["Aisha", "Rahman"],
  ["Benedict", "Crowther"],
  ["Chiara", "Esposito"],
  ["Duncan", "MacAskill"],
  ["Niamh", "O'Keefe"],
  ["Ewa", "Kowalska"],
  ["Farid", "Haddad"],
  ["Gwen", "Tremayne"],
  ["Hamish", "Ironside"],
  ["Ivana", "Petrović"],
  ["Jean-Luc", "Dubois"],
  ["Kiri", "Walker"],
  ["Leopold", "van der Berg"],
  ["Mei", "Tanaka"],
  ["Noor", "Siddiqui"],
  ["Oluwaseun", "Adeyemi"],
  ["Priya", "Nair"],
  ["Quentin", "Ashworth"],
  ["Rhys", "Llewellyn"],
  ["Siobhán", "Brennan"],
];

/** The counterparties' legal names: some hold commas, one quotes, one an umlaut. */
export const COUNTERPARTIES = [
  "Ashdown and Daughters",
  "Birch, Holloway and Finch",
  "Calder Valley Trading",
  "Dunmore Group",
  "Eastgate, Moss and Partners",
  "Fairweather PLC",
  "Greaves - Whitlock",
  "Harker, Bell and Stone",
  "Ingleby LLC",
  'Jessop "The Bag" Brothers',
  "Kestrel, Lark and Swift",
  "Lomax - Pickering",
  "Müller & Söhne GmbH",
  "Northfield, Orr and Sons",
  "Oakley's Emporium",
  "Pemberton, Quayle and Rudd",
  "Quarry Bank Retail",
  "Rowntree, Sykes, Tate and Co",
  "Silverdale Inc",
  "Thorne, Underhill and Vance",
] as const;

/** People who answer the counterparties' telephones. */
export const CONTACTS = [
  "Ada Whitcombe",
  "Basil Thornbury",
  "Ms. Corinne Maddox",
  "Desmond Pike",
  "Eleanor O'Brien",
  "Felix Grantham III",
  "Dr. Greta Vogel",
  "Horace Appleby",
  "Iris Fenwick DVM",
  "Jonah Castle",
  "Kezia Blackwood",
  "Linus Marchetti",
] as const;

/** The roads' first words. */
export const ROADS = [
  "Acorn",
  "Bramley",
  "Chestnut",
  "Dovecote",
  "Elmfield",
  "Foundry",
  "Garnet",
  "Hawthorn",
  "Ironbridge",
  "Juniper",
  "Kiln",
  "Larkspur",
] as const;

/** The roads' last words. */
export const ROAD_KINDS = ["Road", "Lane", "Terrace", "Row", "Mews", "Square", "Way"] as const;

/** Second lines of addresses. */
export const SECOND_LINES = [
  "Unit 4",
  "The Old Mill",
  "Floor 2",
  "Rear Yard",
  "Building C",
] as const;

/** Districts. */
export const DISTRICTS = [
  "Derwentside",
  "Marshland",
  "Northmoor",
  "Southwold",
  "Westerdale",
  "St. Ann's",
] as const;

/** Cities. */
export const CITIES = [
  "Alderbury",
  "Bishop's Cross",
  "Castleford Bay",
  "Düren",
  "Eastport",
  "Fort William Henry",
  "Grand Haven",
  "Holmfirth End",
  "Île-Rousse",
  "Jasper Falls",
  "Kingsmere",
  "Lower Slaughterford",
] as const;

/** Countries, as the shop writes them. The first is always in use. */
export const COUNTRIES = [
  "Democratic People's Republic of Korea",
  "Bosnia and Herzegovina",
  "Côte d'Ivoire",
  "Falkland Islands (Malvinas)",
  "Heard Island and McDonald Islands",
  "Iceland",
  "Japan",
  "Lao People's Democratic Republic",
  "New Zealand",
  "Svalbard & Jan Mayen Islands",
  "Turkey",
  "United Kingdom",
  "Virgin Islands, U.S.",
  "Zimbabwe",
] as const;

/** What totes are made of: the designs' names, the best loved first. */
export const DESIGN_NAMES = [
  "Cotton",
  "Canvas",
  "Hessian",
  "Denim",
  "Linen",
  "Wicker",
  "Leather",
  "Velvet",
  "Tweed",
  "Recycled",
  "Waxed",
  "Quilted",
] as const;

/** Folders that designs are kept in; one is a Windows share, for its backslashes. */
export const FOLDERS = [
  "/home/designs",
  "/mnt/archive/totes",
  "/opt/share",
  "/srv/design",
  "/usr/local/lib/patterns",
  "/var/spool/designs",
  "\\\\fileserver\\designs",
  "/Volumes/Studio",
] as const;

/**
 * A pipeline as people see it: what `totes status` and its kin print, and what the live page shows. Words are made here, so
 * that both say the same. Names are those of the page's JSON: times are ISO 8601 in UTC, durations milliseconds (`_ms`) or seconds
 * (`_s`), sizes bytes.
 */
import type { IngestionManifest } from "../lake/manifest.ts";
import type { CatalogColumn } from "./catalog.ts";

/** `busy`: work is under way; `idle`: there is nothing to judge. */
export type Status = "ok" | "busy" | "warn" | "bad" | "idle";

/** Where a batch can be, in order. */
export const STATIONS = [
  "source",
  "ingestion",
  "ingestion_bucket",
  "transformation",
  "processed_bucket",
  "loading",
  "warehouse",
] as const;
export type StationId = (typeof STATIONS)[number];

/** One thing to do. `command` is typed by a person, never run by what shows it. */
export interface Step {
  readonly text: string;
  readonly command?: string;
}

/** Whether all is well, in words. */
export interface Verdict {
  readonly status: Status;
  /** A few words: `2 batches wait`. */
  readonly short: string;
  /** One sentence or two. */
  readonly title: string;
  /** What is known, and what is not at risk. */
  readonly text: string;
  readonly error?: {
    readonly heading: string;
    readonly text: string;
    /** As the code said it. */
    readonly raw: string;
  };
  /** Empty when nothing is to be done. */
  readonly steps: readonly Step[];
}

/** The whole pipeline at one moment. */
export interface Overview {
  readonly now: string;
  /** `local, embedded`, or the stage's name. */
  readonly stack: string;
  readonly verdict: Verdict;
  /** Seven, in order. */
  readonly stations: readonly Station[];
  readonly moving: readonly Moving[];
  /** Seconds that what was read has waited for the warehouse: one a minute, 60 of them, the oldest first; none before batch 1. */
  readonly lag: readonly Point[];
  /** Rows loaded, as `lag`. */
  readonly rows: readonly Point[];
  /** From which lag on the alarm is on. */
  readonly lag_alarm_s: number;
  /** The worst first. */
  readonly checks: readonly Check[];
  /** The newest eight. */
  readonly recent: readonly BatchSummary[];
  /** Rows in quarantine. */
  readonly quarantined: number;
  /** The newest batch's number; 0 = none yet. */
  readonly batches: number;
}

/** A place of the pipeline. */
export interface Station {
  readonly id: StationId;
  readonly title: string;
  readonly kind: string;
  /** At most two short facts, each number with its unit. */
  readonly lines: readonly string[];
  readonly status: Status;
  /** The way to the next station. */
  readonly out?: "broken";
}

/** What is on its way. */
export interface Moving {
  readonly label: string;
  /** 0 = source … 6 = warehouse, n.5 = between the two (waiting in a queue). */
  readonly at: number;
  readonly status: Status;
}

export interface Point {
  readonly at: string;
  readonly value: number;
}

/** One thing that was looked at. */
export interface Check {
  readonly id: string;
  readonly status: Status;
  readonly title: string;
  readonly value: string;
  readonly text: string;
  /** Where the page says more. */
  readonly href?: string;
  readonly steps?: readonly Step[];
}

/** A batch came to a station. */
export interface StageEvent {
  readonly batch: number;
  readonly station: StationId;
  readonly at: string;
}

/** From the moment that ingestion began to read the batch; where that is not known, from its commit. */
export interface Span {
  readonly start_ms: number;
  readonly end_ms: number;
}

export interface BatchSummary {
  readonly batch: number;
  readonly kind: IngestionManifest["kind"];
  readonly status: "loaded" | "waiting" | "failed" | "skipped";
  readonly committed_at: string;
  /** Rows read, those that are there to be looked up included. */
  readonly rows: number;
  /** Source tables that have any. */
  readonly tables: number;
  readonly quarantined: number;
  /** Deliveries of the stage that it is in; 1 when all went well. */
  readonly attempts: number;
  /** `ingestion` has no length where its begin is not known. */
  readonly stages: {
    readonly ingestion: Span;
    readonly transformation?: Span;
    readonly loading?: Span;
  };
}

export interface BatchPage {
  /** How many match. */
  readonly total: number;
  /** From ingestion's commit to the warehouse's, of each that matches, the oldest first, at most 1,000; null = unfinished. */
  readonly trail: { readonly first: number; readonly ms: readonly (number | null)[] };
  /** The newest first. */
  readonly batches: readonly BatchSummary[];
}

export interface Batch extends BatchSummary {
  readonly run: string;
  readonly sha256: string;
  /** null of batch 1. */
  readonly previous_sha256: string | null;
  /** `previous_sha256` held against the bytes of the manifest before. */
  readonly chain: "equal" | "broken";
  readonly snapshot: string;
  /** A 64-bit transaction id, as text. */
  readonly fence: string;
  readonly system_identifier: string;
  /** Why it is not in the warehouse, where that can be told; of a batch that is, what the lake lacks of it. */
  readonly error?: string;
  readonly steps: readonly (Span & { readonly stage: string; readonly name: string })[];
  readonly objects: readonly BatchObject[];
  readonly effects: readonly Effect[];
}

export interface BatchObject {
  readonly bucket: "ingestion" | "processed";
  readonly table: string;
  readonly key: string;
  readonly rows: number;
  readonly bytes: number;
  /** As its manifest says. */
  readonly sha256: string;
  /** Whether its bytes, read just now, have that hash; where it is gone, whether those of the compaction's object have theirs. */
  readonly verified: boolean;
  /** Why not: what is gone or altered, and what to restore. */
  readonly damage?: string;
  /** The compaction's object that its rows are read from, where it is gone itself. */
  readonly compacted?: string;
}

/** What a batch did to a table of the warehouse. */
export interface Effect {
  readonly table: string;
  /** Rows inserted: new records, and further versions of records. */
  readonly added: number;
  /** Rows updated where they were. */
  readonly changed: number;
  /** Rows that were there already. */
  readonly equal: number;
  /** Those of `added` in a table that keeps versions. */
  readonly versions: number;
  readonly quarantined: number;
}

export interface TableSummary {
  readonly name: string;
  readonly kind: "fact" | "dimension";
  /** The module's: `One row per …`. */
  readonly description: string;
  readonly rows: number;
  /** Whether `rows` is the server's estimate: counting would take long. */
  readonly isEstimate: boolean;
  /** When a batch last changed it. */
  readonly fresh_at: string | null;
  readonly fresh_batch: number | null;
  /** Rows at the end of each day, at most 30 of them, the last now; none where the receipts do not tell. */
  readonly history: readonly Point[];
  /** Rows added or changed, one a minute, 60 of them. */
  readonly minutes: readonly Point[];
  /** Tables that it refers to. */
  readonly references: readonly string[];
  readonly sources: readonly string[];
}

export interface Table extends TableSummary {
  readonly columns: readonly CatalogColumn[];
  /** The 5 newest. */
  readonly sample: readonly Readonly<Record<string, Value>>[];
  /** Of the record that changed last, the oldest first. */
  readonly versions?: {
    readonly record: string;
    readonly rows: readonly {
      readonly row: Readonly<Record<string, Value>>;
      /** Columns that differ from the version before. */
      readonly changed: readonly string[];
    }[];
  };
}

export type Value = string | number | boolean | null;

/** Rows in quarantine for one reason. */
export interface QuarantineGroup {
  /** `agreed_delivery_date: … is not a date`, without the values that it quotes. */
  readonly reason: string;
  /** The star table that refused the rows. */
  readonly table: string;
  readonly source: string;
  /** The offending source column; empty where the reason names none. */
  readonly column: string;
  readonly advice: string;
  readonly steps: readonly Step[];
  readonly rows: readonly {
    readonly key: string;
    readonly batch: number;
    readonly at: string;
    readonly row: Readonly<Record<string, Value>>;
  }[];
}

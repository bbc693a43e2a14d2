import { openDatabase } from "../localstack/demo/databases.ts";
import { applySchema, credentialsOf, type Stack } from "../localstack/stack.ts";
import type { Database } from "../localstack/totesys/shop.ts";
import { STAGES, type StageName } from "../scripts/bundle.ts";
import type {
  IdleFigures,
  IdleInvocation,
  Measured,
  PipeFigures,
  Round,
  ScenarioFigures,
} from "./figures.ts";
import type { Bundles } from "./functions.ts";
import { countRequests, measure } from "./measure.ts";
import type { BenchOptions, ScenarioName } from "./options.ts";
import { runPipe, type Credentials } from "./pipe.ts";
import { openPipeline, type BenchPipeline } from "./pipelines.ts";
import { Service } from "./service.ts";
import { fillSource } from "./source.ts";
import { checkWarehouse, WarehouseIsWrong } from "./star.ts";

/** Where the scenarios run. */
export interface Setting {
  readonly stack: Stack;
  readonly source: Database;
  readonly bundles: Bundles;
  readonly options: BenchOptions;
  /** Takes what the functions print. */
  readonly log: (line: string) => void;
  /** Says what is under way, and shows that it is. */
  readonly working: <T>(text: string, work: () => Promise<T>) => Promise<T>;
}

/** Rows of the scenario that is about warm processes. */
const WARM_ROWS = 100_000;
/** The least number of times for what takes milliseconds. */
const OFTEN = 5;

/**
 * Measures what the options ask for, one scenario after the other, the pipe between them.
 * @throws ServiceError; WarehouseIsWrong; what PostgreSQL throws
 */
export async function measureAll(
  setting: Setting,
): Promise<Pick<Measured, "pipes" | "scenarios" | "idle">> {
  const bench = new Bench(setting);
  const { only } = setting.options;
  const wants = (...names: ScenarioName[]): boolean => names.some((name) => only.includes(name));
  if (wants("backfill", "resync", "idle", "one-row", "silent", "lookup")) {
    const pipeline = await bench.backfills();
    const { working } = setting;
    if (wants("idle")) await working("idle runs", () => bench.idle(pipeline));
    if (wants("one-row")) await working("one row at a time", () => bench.oneRow(pipeline));
    if (wants("silent")) await bench.silentUpdates(pipeline);
    if (wants("lookup")) await bench.lookupChange(pipeline);
    await pipeline.drop();
  }
  if (wants("warm")) await bench.warm();
  return { pipes: bench.pipes, scenarios: bench.scenarios, idle: bench.idleFigures };
}

/** What is measured with processes that are started for it. */
interface ColdRun {
  readonly name: ScenarioName;
  readonly round: number;
  readonly pipeline: BenchPipeline;
  readonly pipe: PipeFigures;
  /** Ingestion's; the schedule's unless said otherwise. */
  readonly event?: object;
  /** All orders unless said otherwise. */
  readonly rows?: number;
  /** As they are deployed unless said otherwise. */
  readonly functions?: Pick<Bundles, "worker" | "functions">;
}

class Bench {
  readonly pipes: PipeFigures[] = [];
  idleFigures: Measured["idle"] = null;
  readonly #rounds = new Map<ScenarioName, Round[]>();
  readonly #setting: Setting;

  constructor(setting: Setting) {
    this.#setting = setting;
  }

  get scenarios(): ScenarioFigures[] {
    return this.#setting.options.only.flatMap((name) => {
      const rounds = this.#rounds.get(name);
      return rounds ? [{ name, rounds }] : [];
    });
  }

  /** Fills warehouses, and reads everything again. Gives the last pipeline. */
  async backfills(): Promise<BenchPipeline> {
    const { options, stack } = this.#setting;
    const wants = (name: ScenarioName): boolean => options.only.includes(name);
    const rounds = wants("backfill") || wants("resync") ? options.rounds : 1;
    for (let round = 1; ; round++) {
      const pipeline = await openPipeline(stack, "totesys");
      const pipe = await this.#pipe(round, pipeline);
      await this.#cold({ name: "backfill", round, pipeline, pipe });
      await this.#check(pipeline);
      if (wants("resync")) {
        await this.#cold({ name: "resync", round, pipeline, pipe, event: { resync: true } });
        const versions = await this.#check(pipeline);
        if (versions !== options.rows)
          throw new WarehouseIsWrong(
            `reading ${options.rows} unchanged orders again left ${versions} versions of them`,
          );
      }
      if (round === rounds) return pipeline;
      await pipeline.drop();
    }
  }

  /** All three functions, when nothing changed. */
  async idle(pipeline: BenchPipeline): Promise<void> {
    await this.#with(pipeline, this.#setting.bundles, async (service) => {
      this.idleFigures = await this.#idleOnes(service);
      for (let i = 0; i < this.#often; i++) {
        const round = await this.#measure("idle", pipeline, service, 0, undefined, async () => {
          const began = performance.now();
          await Promise.all(STAGES.map((name) => service.invoke(name)));
          return performance.now() - began;
        });
        if (round.objectsPut > 0)
          throw new WarehouseIsWrong(`an idle run wrote ${round.objectsPut} objects`);
      }
    });
  }

  /** One function after the other, so that its requests are known from the others'. */
  async #idleOnes(service: Service): Promise<Record<StageName, IdleFigures>> {
    const once = async (name: StageName): Promise<IdleInvocation> => {
      await service.mark();
      const counted = countRequests(this.#setting.stack);
      await service.invoke(name);
      counted.stop();
      const { billedMs, cpuSeconds, logBytes } = (await service.used())[name];
      return { billedMs, cpuSeconds, logBytes, requests: counted.requests };
    };
    const figures: [StageName, IdleFigures][] = [];
    for (const name of STAGES)
      figures.push([name, { cold: await once(name), warm: await once(name) }]);
    return Object.fromEntries(figures) as Record<StageName, IdleFigures>;
  }

  /** One order changes. The time is PostgreSQL's: from one commit to the other. */
  async oneRow(pipeline: BenchPipeline): Promise<void> {
    const { source, options } = this.#setting;
    await this.#warmed(pipeline, async (service) => {
      for (let i = 0; i < this.#often; i++) {
        const id = 1 + Math.floor(((i + 0.5) / this.#often) * options.rows);
        await this.#measure("one-row", pipeline, service, 1, undefined, async () => {
          await source.none(
            "update sales_order set units_sold = units_sold + 1, last_updated = now() where sales_order_id = $1",
            [id],
          );
          await service.run();
          const at = "extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000";
          const left = await source.one<{ at: string }>(
            `select ${at} as at from sales_order where sales_order_id = $1`,
            [id],
          );
          const arrived = await pipeline.warehouse.one<{ at: string }>(
            `select ${at} as at from fact_sales_order where sales_order_id = $1 order by sales_record_id desc limit 1`,
            [id],
          );
          return Number(arrived.at) - Number(left.at);
        });
      }
      await checkWarehouse(source, pipeline.warehouse);
    });
  }

  /** One order in a hundred changes without saying so. */
  async silentUpdates(pipeline: BenchPipeline): Promise<void> {
    const { source, options } = this.#setting;
    for (let round = 1; round <= options.rounds; round++) {
      const pipe = await this.#pipe(round, pipeline);
      const { rowCount } = await source.result(
        "update sales_order set units_sold = units_sold + 1 where sales_order_id % 100 = $1",
        [round % 100],
      );
      await this.#cold({ name: "silent", round, pipeline, pipe, rows: rowCount });
      await this.#check(pipeline);
    }
  }

  /** A lookup changes that every order shows. Once: each order gets a version. */
  async lookupChange(pipeline: BenchPipeline): Promise<void> {
    const { source, bundles } = this.#setting;
    const functions = { ...bundles, functions: bundles.withLookup };
    await this.#with(pipeline, functions, (service) => service.run());
    await this.#check(pipeline, true);
    const pipe = await this.#pipe(1, pipeline);
    await source.none("update design set file_name = 'new-' || file_name");
    await this.#cold({ name: "lookup", round: 1, pipeline, pipe, functions });
    await this.#check(pipeline, true);
  }

  /** A backfill by processes that have done one before. */
  async warm(): Promise<void> {
    const { stack, options } = this.#setting;
    const rows = Math.min(WARM_ROWS, options.rows);
    const shop = await this.#setting.working("two smaller shops are made", async () => {
      await this.#shop("totesys_tiny", 10);
      return this.#shop("totesys_warm", rows);
    });
    for (let round = 1; round <= options.rounds; round++) {
      const pipeline = await openPipeline(stack, "totesys_tiny");
      await this.#with(pipeline, this.#setting.bundles, async (service) => {
        await service.run();
        await pipeline.startOver("totesys_warm");
        const pipe = await this.#pipe(round, pipeline, "totesys_warm", rows);
        await this.#setting.working(`warm, round ${round}`, () =>
          this.#measure("warm", pipeline, service, rows, pipe, () => timed(service)),
        );
      });
      await checkWarehouse(shop, pipeline.warehouse);
      await pipeline.drop();
    }
  }

  get #often(): number {
    return Math.max(OFTEN, this.#setting.options.rounds);
  }

  async #shop(name: string, orders: number): Promise<Database> {
    const { stack } = this.#setting;
    await stack.postgres.createDatabase(name);
    await applySchema(stack.postgres, name);
    const shop = openDatabase(stack, name);
    await fillSource(shop, orders);
    return shop;
  }

  #check(pipeline: BenchPipeline, withDesignUse = false): Promise<number> {
    const { source, working } = this.#setting;
    return working("the warehouse is held against the shop", () =>
      checkWarehouse(source, pipeline.warehouse, withDesignUse),
    );
  }

  async #pipe(
    round: number,
    pipeline: BenchPipeline,
    source = "totesys",
    rows = this.#setting.options.rows,
  ): Promise<PipeFigures> {
    const { stack, bundles, working } = this.#setting;
    const [from, to] = [source, pipeline.name].map(
      (name) => credentialsOf(stack.postgres, name) as Credentials,
    );
    const piped = await working(`the pipe, round ${round}`, () =>
      runPipe(bundles.pipe, from!, to!, pipeline.warehouse),
    );
    if (piped.rows !== rows) throw new Error(`the pipe moved ${piped.rows} of ${rows} orders`);
    if (source === "totesys") this.pipes.push(piped);
    return piped;
  }

  /** The start of the processes counts. */
  async #cold({ name, round, pipeline, pipe, event, rows, functions }: ColdRun): Promise<void> {
    const { bundles, options, working } = this.#setting;
    await working(`${name}, round ${round}`, () =>
      this.#with(pipeline, functions ?? bundles, (service) =>
        this.#measure(name, pipeline, service, rows ?? options.rows, pipe, () =>
          timed(service, event),
        ),
      ),
    );
  }

  /** With processes that have been invoked before. */
  async #warmed(pipeline: BenchPipeline, work: (service: Service) => Promise<void>): Promise<void> {
    await this.#with(pipeline, this.#setting.bundles, async (service) => {
      for (const name of STAGES) await service.invoke(name);
      await work(service);
    });
  }

  async #with<T>(
    pipeline: BenchPipeline,
    functions: Pick<Bundles, "worker" | "functions">,
    work: (service: Service) => Promise<T>,
  ): Promise<T> {
    const { stack, log } = this.#setting;
    const service = new Service(pipeline, functions, () => pipeline.newest(), log);
    stack.defer("functions", () => service.stop());
    try {
      return await work(service);
    } finally {
      await service.stop();
    }
  }

  async #measure(
    name: ScenarioName,
    pipeline: BenchPipeline,
    service: Service,
    rows: number,
    pipe: PipeFigures | undefined,
    work: () => Promise<number>,
  ): Promise<Round> {
    await this.#setting.source.none("checkpoint");
    const { stack } = this.#setting;
    const round = await measure({ stack, pipeline, service, rows, pipe, work });
    this.#rounds.set(name, [...(this.#rounds.get(name) ?? []), round]);
    return round;
  }
}

/** How long a run of all three takes, in milliseconds. */
async function timed(service: Service, event?: object): Promise<number> {
  const began = performance.now();
  return (await service.run(event)) - began;
}

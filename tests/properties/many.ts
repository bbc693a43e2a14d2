// Required by `npm run properties`: thousands of runs, each time from another seed.
process.env["PROPERTY_RUNS"] ??= "2000";
process.env["PROPERTY_SEED"] ??= String(Date.now() % 2 ** 31);

/** So many that two test files hardly ever meet in one; Redis has 16 by default. */
export const TEST_REDIS_DATABASES = 10_000;

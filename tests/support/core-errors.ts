/**
 * Jest runs tests in a realm of its own, where the errors that Node's modules throw would be no
 * `instanceof Error`. Here they are, as in production.
 */
const ordinary = Function.prototype[Symbol.hasInstance];

Object.defineProperty(Error, Symbol.hasInstance, {
  value(this: unknown, candidate: unknown): boolean {
    const isNative = Object.prototype.toString.call(candidate) === '[object Error]';
    return ordinary.call(this, candidate) || (this === Error && isNative);
  },
});

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title TokenRate
/// @notice What ether is worth in the token that is the currency of L2, and how far and how
///         often that may change. A rate is in wei of the token for one gwei of ether. One
///         that was not renewed in time is not known any more: it counts twice, so that the
///         chain is still paid for what it pays on L1, and never more than the highest.
library TokenRate {
    /// @notice A rate is outside of its bounds.
    error RateOutOfRange(uint64 rate, uint64 min, uint64 max);
    /// @notice A rate is too far from the one before.
    error RateMovesTooFar(uint64 rate, uint64 low, uint64 high);
    /// @notice The next rate may be set at `next`, in seconds since 1970.
    error RateTooSoon(uint64 next);
    /// @notice The bounds make no sense.
    error BadRateBounds();

    /// @notice What holds for every rate.
    /// @param min         Lowest, 1 or more.
    /// @param max         Highest, up to `HIGHEST`.
    /// @param minInterval Seconds between two rates, at least.
    /// @param maxAge      Seconds after which a rate is stale; longer than `minInterval`.
    struct Bounds {
        uint64 min;
        uint64 max;
        uint64 minInterval;
        uint64 maxAge;
    }

    /// @notice Smallest and largest fraction of the rate before: 4/5 and 5/4.
    uint64 internal constant STEP_NUMERATOR = 5;
    uint64 internal constant STEP_DENOMINATOR = 4;
    /// @notice Highest rate that bounds may allow: a thousand million tokens for an ether.
    uint64 internal constant HIGHEST = 1e18;
    /// @notice Longest age of a rate that bounds may allow.
    uint64 internal constant OLDEST = 366 days;

    /// @notice Reverts unless the bounds are in order.
    function check(Bounds memory b) internal pure {
        bool rates = b.min > 0 && b.min <= b.max && b.max <= HIGHEST;
        if (!rates || b.maxAge <= b.minInterval || b.maxAge > OLDEST) revert BadRateBounds();
    }

    /// @notice Reverts unless a rate may begin.
    function checkFirst(Bounds memory b, uint64 rate) internal pure {
        if (rate < b.min || rate > b.max) revert RateOutOfRange(rate, b.min, b.max);
    }

    /// @notice Reverts unless a rate may follow on `last`, which was set at `setAt`.
    function checkNext(Bounds memory b, uint64 rate, uint64 last, uint64 setAt) internal view {
        if (block.timestamp < setAt + b.minInterval) revert RateTooSoon(setAt + b.minInterval);
        checkFirst(b, rate);
        (uint64 low, uint64 high) = reach(last);
        if (rate < low || rate > high) revert RateMovesTooFar(rate, low, high);
    }

    /// @notice Lowest and highest rate that may follow; small ones move by one at least.
    function reach(uint64 last) internal pure returns (uint64 low, uint64 high) {
        low = (last * STEP_DENOMINATOR + STEP_NUMERATOR - 1) / STEP_NUMERATOR;
        high = last * STEP_NUMERATOR / STEP_DENOMINATOR;
        if (low == last) low = last - 1;
        if (high == last) high = last + 1;
    }

    /// @notice What counts instead of a stale rate.
    function stale(Bounds memory b, uint64 rate) internal pure returns (uint64) {
        return rate > b.max / 2 ? b.max : 2 * rate;
    }
}

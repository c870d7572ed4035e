// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Dilution
/// @notice What is left of a whole after any number of parts were taken out of it, each part
///         a share of what was left then. The product is kept as mantissa * 1e-18^scale, so
///         that it stays exact to eighteen digits however small it becomes.
library Dilution {
    /// @notice Something left, to be compared with what was left at another time.
    /// @param mantissa 1e18..1e36; zero stands for 1e36.
    /// @param scale    How often 1e18 was taken out of the mantissa.
    struct Left {
        uint128 mantissa;
        uint64 scale;
    }

    /// @notice The whole.
    uint128 internal constant ONE = 1e36;
    uint256 private constant STEP = 1e18;

    /// @notice What is left when `rest` of `total` stay.
    function keep(Left memory left, uint256 rest, uint256 total) internal pure returns (Left memory) {
        uint256 mantissa = left.mantissa == 0 ? ONE : left.mantissa;
        uint256 next = Math.mulDiv(mantissa, rest, total);
        uint64 scale = left.scale;
        if (next < STEP) {
            next = Math.mulDiv(mantissa * STEP, rest, total);
            scale++;
        }
        // Less than 1e-18 of it is left: nothing.
        if (next < STEP) return Left(ONE, scale + 2);
        // At most ONE.
        // forge-lint: disable-next-line(unsafe-typecast)
        return Left(uint128(next), scale);
    }

    /// @notice How much of what was left at `then` is left at `later`, of `ONE`, rounded down.
    function ratio(Left memory later, Left memory then) internal pure returns (uint256) {
        uint256 steps = later.scale - then.scale;
        if (steps > 2) return 0;
        uint256 unit = steps == 0 ? ONE : steps == 1 ? STEP : 1;
        return Math.mulDiv(later.mantissa == 0 ? ONE : later.mantissa, unit, then.mantissa == 0 ? ONE : then.mantissa);
    }
}

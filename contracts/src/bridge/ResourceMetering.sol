// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {SystemConfig} from "../rollup/SystemConfig.sol";

/// @title ResourceMetering
/// @notice Sells the L2 gas of deposits. Each L1 block has a bounded amount of it, at a
///         price that rises while blocks use more than a share of that amount and falls
///         while they use less, as EIP-1559 has it for transactions. The price is paid by
///         burning L1 gas, less what the deposit has used already: at the lowest price,
///         ordinary deposits pay nothing more.
/// @dev OP Stack specification, "Guaranteed gas market"; the parameters are those of
///      `SystemConfig.resourceConfig`.
abstract contract ResourceMetering {
    /// @notice The deposits of this L1 block would exceed its bound; a smaller one, of up to
    ///         `available` gas, still fits, and the next block starts afresh.
    /// @param requested L2 gas that the deposit asks for.
    /// @param available L2 gas that this L1 block has left for deposits.
    error BlockGasExceeded(uint64 requested, uint64 available);
    /// @notice The transaction has less L1 gas left than the deposit has to burn.
    error NotEnoughGasToBurn(uint256 left, uint256 toBurn);

    /// @notice State of the market.
    /// @param prevBaseFee   Price in the latest L1 block with a deposit, in wei per L2 gas.
    /// @param prevBoughtGas L2 gas that deposits of that block bought.
    /// @param prevBlockNum  Number of that block.
    struct ResourceParams {
        uint128 prevBaseFee;
        uint64 prevBoughtGas;
        uint64 prevBlockNum;
    }

    /// @dev L1 gas is counted as if its base fee were at least this, in wei: a base fee near
    ///      zero would make deposits cost more gas than a block has.
    uint256 internal constant MIN_L1_BASE_FEE = 1 gwei;
    uint256 private constant WAD = 1e18;

    /// @notice State of the market.
    /// @dev Slot 0.
    ResourceParams public params;

    /// @notice Wei per L2 gas that a deposit in the current L1 block pays.
    function depositBaseFee() external view returns (uint128) {
        return _price(params, _resourceConfig());
    }

    /// @notice L2 gas that deposits of the current L1 block may still ask for.
    function availableGas() external view returns (uint64) {
        uint64 most = _resourceConfig().maxResourceLimit;
        return params.prevBlockNum == block.number ? most - params.prevBoughtGas : most;
    }

    function _resourceConfig() internal view virtual returns (SystemConfig.ResourceConfig memory);

    /// @dev Books L2 gas on the current L1 block. It takes as much L1 gas in every block, so
    ///      that there is no branch on the block's number: clients send with exactly the gas
    ///      that they have estimated, some blocks before.
    /// @return cost L1 gas that it costs.
    function _buy(uint64 amount) internal returns (uint256 cost) {
        SystemConfig.ResourceConfig memory config = _resourceConfig();
        ResourceParams memory last = params;
        uint128 price = _price(last, config);
        // At most what it was.
        // forge-lint: disable-next-line(unsafe-typecast)
        uint64 bought = uint64(Math.ternary(last.prevBlockNum == block.number, last.prevBoughtGas, 0));
        uint64 available = config.maxResourceLimit - bought;
        if (amount > available) revert BlockGasExceeded(amount, available);
        params = ResourceParams(price, bought + amount, uint64(block.number));
        return uint256(amount) * price / Math.max(block.basefee, MIN_L1_BASE_FEE);
    }

    /// @dev Uses up what a deposit costs beyond what it has used.
    /// @param cost  L1 gas that it costs.
    /// @param start Gas that was left when it began.
    function _burn(uint256 cost, uint256 start) internal view {
        uint256 used = start - gasleft();
        if (cost <= used) return;
        uint256 toBurn = cost - used;
        if (toBurn > gasleft()) revert NotEnoughGasToBurn(gasleft(), toBurn);
        uint256 end = gasleft() - toBurn;
        while (gasleft() > end) {}
    }

    /// @dev Price in the current L1 block, from what the latest one with deposits used and
    ///      how many without any came after it.
    function _price(ResourceParams memory last, SystemConfig.ResourceConfig memory config)
        private
        view
        returns (uint128)
    {
        uint256 target = config.maxResourceLimit / config.elasticityMultiplier;
        uint256 price = last.prevBaseFee;
        uint256 slowness = target * config.baseFeeMaxChangeDenominator;
        if (last.prevBoughtGas > target) price += price * (last.prevBoughtGas - target) / slowness;
        else price -= price * (target - last.prevBoughtGas) / slowness;
        price = _clamp(price, config);
        uint256 blocks = block.number - last.prevBlockNum;
        uint256 empty = blocks - Math.min(blocks, 1);
        price = _clamp(price * _decay(config.baseFeeMaxChangeDenominator, empty) / WAD, config);
        // Clamped to what fits.
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint128(Math.ternary(blocks == 0, last.prevBaseFee, price));
    }

    /// @dev (1 - 1 / denominator) ^ blocks, in 1e-18. After 511 blocks it is nothing, for
    ///      denominators up to 8.
    function _decay(uint256 denominator, uint256 blocks) private pure returns (uint256 result) {
        uint256 factor = WAD - WAD / denominator;
        result = WAD;
        blocks = Math.min(blocks, 511);
        for (uint256 i = 0; i < 9; i++) {
            result = result * (WAD - (WAD - factor) * (blocks & 1)) / WAD;
            factor = factor * factor / WAD;
            blocks >>= 1;
        }
    }

    function _clamp(uint256 price, SystemConfig.ResourceConfig memory config) private pure returns (uint256) {
        return Math.min(Math.max(price, config.minimumBaseFee), config.maximumBaseFee);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";

import {TokenRate} from "../../src/libraries/TokenRate.sol";
import {SystemConfig} from "../../src/rollup/SystemConfig.sol";
import {World} from "../World.sol";
import {PlainToken} from "../tokens/Tokens.sol";

contract GasTokenRateTest is World {
    event ConfigUpdate(uint256 indexed version, uint8 indexed updateType, bytes data);
    event RateSetterSet(address indexed rateSetter);

    address internal constant SETTER = address(0x5E77);
    PlainToken internal token = new PlainToken();

    function setUp() public {
        deployWorld(token);
    }

    function word(uint64 rate, uint64 until, uint64 then_) internal pure returns (bytes memory) {
        return abi.encode((uint256(rate) << 128) | (uint256(until) << 64) | then_);
    }

    function set(uint64 rate) internal {
        vm.prank(OWNER);
        config.setGasTokenRate(rate);
    }

    function expectRefusal(bytes memory reason, uint64 rate) internal {
        vm.expectRevert(reason);
        set(rate);
    }

    function test_theCurrencyIsTheToken() public view {
        (address currency, uint8 decimals) = config.gasPayingToken();
        vm.assertEq(currency, address(token), "token");
        vm.assertEq(decimals, 18, "decimals");
        vm.assertEq(config.gasPayingTokenName(), "Plain", "name");
        vm.assertEq(config.gasPayingTokenSymbol(), "PLN", "symbol");
        vm.assertTrue(config.isCustomGasToken(), "custom");
        vm.assertEq(config.rateBounds().max, RATE * 10, "bounds");
        (uint64 rate, uint64 until, uint64 then_) = config.gasTokenRate();
        vm.assertEq(rate, RATE, "rate");
        vm.assertEq(until, START + 1 days, "until");
        vm.assertEq(then_, 2 * RATE, "and then");
    }

    function test_withEtherThereIsNoRate() public {
        deployWorld(IERC20(address(0)));
        (address currency, uint8 decimals) = config.gasPayingToken();
        vm.assertEq(currency, 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE, "ether");
        vm.assertEq(decimals, 18, "decimals");
        vm.assertEq(config.gasPayingTokenName(), "Ether", "name");
        vm.assertEq(config.gasPayingTokenSymbol(), "ETH", "symbol");
        vm.assertTrue(!config.isCustomGasToken(), "not custom");
        (uint64 rate, uint64 until, uint64 then_) = config.gasTokenRate();
        vm.assertEq(uint256(rate) + until + then_, 0, "no rate");
        expectRefusal(abi.encodeWithSelector(SystemConfig.EtherIsNative.selector), RATE);

        address implementation =
            address(new SystemConfig(address(1), 1, address(timelock), IERC20Metadata(address(0)), noBounds()));
        SystemConfig.Settings memory wrong = settings();
        wrong.gasTokenRate = 1;
        vm.expectRevert(SystemConfig.EtherIsNative.selector);
        this.make(implementation, abi.encodeCall(SystemConfig.initialize, (OWNER, wrong)));
    }

    function make(address implementation, bytes calldata setup) external {
        proxied(implementation, setup);
    }

    function test_aRateIsAnnouncedWithItsEnd() public {
        vm.warp(START + 10 minutes);
        vm.expectEmit(address(config));
        emit ConfigUpdate(0, 0x81, word(RATE * 5 / 4, START + 10 minutes + 1 days, RATE * 5 / 2));
        set(RATE * 5 / 4);
        (uint64 rate,,) = config.gasTokenRate();
        vm.assertEq(rate, RATE * 5 / 4, "rate");
        vm.assertEq(config.rateSetAt(), START + 10 minutes, "set at");
    }

    function test_theSameRateRenewsIt() public {
        vm.warp(START + 5 days); // stale for long
        set(RATE);
        (, uint64 until,) = config.gasTokenRate();
        vm.assertEq(until, START + 6 days, "until");
    }

    function test_aRateMovesAFifthDownAndAQuarterUp() public {
        vm.warp(START + 10 minutes);
        (uint64 low, uint64 high) = (RATE * 4 / 5, RATE * 5 / 4);
        expectRefusal(abi.encodeWithSelector(TokenRate.RateMovesTooFar.selector, high + 1, low, high), high + 1);
        expectRefusal(abi.encodeWithSelector(TokenRate.RateMovesTooFar.selector, low - 1, low, high), low - 1);
        set(low);
        vm.warp(START + 20 minutes);
        set(RATE);
    }

    function test_notTwiceWithinTheInterval() public {
        expectRefusal(abi.encodeWithSelector(TokenRate.RateTooSoon.selector, START + 10 minutes), RATE);
        vm.warp(START + 10 minutes);
        set(RATE);
        vm.warp(START + 20 minutes - 1);
        expectRefusal(abi.encodeWithSelector(TokenRate.RateTooSoon.selector, START + 20 minutes), RATE);
    }

    function test_aRateStaysWithinItsBounds() public {
        uint64 rate = RATE;
        uint64 time = START;
        while (rate * 5 / 4 <= RATE * 10) {
            time += 10 minutes;
            vm.warp(time);
            set(rate = rate * 5 / 4);
        }
        vm.warp(time + 10 minutes);
        expectRefusal(
            abi.encodeWithSelector(TokenRate.RateOutOfRange.selector, rate * 5 / 4, RATE / 10, RATE * 10), rate * 5 / 4
        );
        (,, uint64 then_) = config.gasTokenRate();
        vm.assertEq(then_, RATE * 10, "a stale rate is bounded, too");
        expectRefusal(abi.encodeWithSelector(TokenRate.RateOutOfRange.selector, 0, RATE / 10, RATE * 10), 0);
    }

    function test_whoMaySetIt() public {
        vm.warp(START + 1 hours);
        vm.expectRevert(abi.encodeWithSelector(SystemConfig.NotRateSetter.selector, SETTER));
        vm.prank(SETTER);
        config.setGasTokenRate(RATE);
        vm.expectRevert(abi.encodeWithSelector(OwnableUpgradeable.OwnableUnauthorizedAccount.selector, SETTER));
        vm.prank(SETTER);
        config.setRateSetter(SETTER);
        vm.expectEmit(address(config));
        emit RateSetterSet(SETTER);
        vm.prank(OWNER);
        config.setRateSetter(SETTER);
        vm.prank(SETTER);
        config.setGasTokenRate(RATE);
        vm.assertEq(config.rateSetter(), SETTER, "setter");
        vm.warp(START + 2 hours);
        set(RATE); // its owner still may
    }

    function test_whatMakesNoSenseIsNotDeployed() public {
        TokenRate.Bounds[6] memory bad = [
            TokenRate.Bounds(0, 10, 1, 2),
            TokenRate.Bounds(11, 10, 1, 2),
            TokenRate.Bounds(1, 1e18 + 1, 1, 2),
            TokenRate.Bounds(1, 10, 2, 2),
            TokenRate.Bounds(1, 10, 1, 366 days + 1),
            TokenRate.Bounds(0, 0, 0, 0)
        ];
        for (uint256 i = 0; i < bad.length; i++) {
            vm.expectRevert(TokenRate.BadRateBounds.selector);
            new SystemConfig(address(1), 1, address(timelock), token, bad[i]);
        }
        IERC20Metadata six = new SixDecimals();
        vm.expectRevert(abi.encodeWithSelector(SystemConfig.WrongDecimals.selector, 6));
        new SystemConfig(address(1), 1, address(timelock), six, rateBounds());

        address implementation = address(new SystemConfig(address(1), 1, address(timelock), token, rateBounds()));
        vm.expectRevert(abi.encodeWithSelector(TokenRate.RateOutOfRange.selector, 0, RATE / 10, RATE * 10));
        this.make(implementation, abi.encodeCall(SystemConfig.initialize, (OWNER, settings())));
    }

    function testFuzz_noRateIsAReachTooFar(uint64 last) public pure {
        last = uint64(bound(last, 1, 1e18));
        (uint64 low, uint64 high) = TokenRate.reach(last);
        vm.assertTrue(low < last && last < high, "every rate can move both ways");
        vm.assertTrue(uint256(high) * 4 <= uint256(last) * 5 || high == last + 1, "a quarter up");
        vm.assertTrue(uint256(low) * 5 >= uint256(last) * 4 || low == last - 1, "a fifth down");
    }

    function testFuzz_aStaleRateIsNeverFreeNorAboveTheHighest(uint64 rate, uint64 min, uint64 max) public pure {
        max = uint64(bound(max, 1, 1e18));
        min = uint64(bound(min, 1, max));
        rate = uint64(bound(rate, min, max));
        uint64 stale = TokenRate.stale(TokenRate.Bounds(min, max, 1, 2), rate);
        vm.assertTrue(stale >= rate && stale <= max && stale > 0, "between");
    }
}

contract SixDecimals is ERC20 {
    constructor() ERC20("Six", "SIX") {}

    function decimals() public pure override returns (uint8) {
        return 6;
    }
}

/// @notice Sets rates at random times and remembers what held.
contract Rater is World {
    PlainToken internal token = new PlainToken();

    constructor() {
        deployWorld(token);
    }

    function move(uint64 wish, uint32 later) external {
        vm.warp(block.timestamp + bound(later, 0, 3 days));
        (uint64 last,,) = config.gasTokenRate();
        (uint64 low, uint64 high) = TokenRate.reach(last);
        uint64 next = uint64(bound(wish, low - low / 4, high + high / 4));
        bool mayNow = block.timestamp >= config.rateSetAt() + 10 minutes;
        bool fits = next >= low && next <= high && next >= RATE / 10 && next <= RATE * 10;
        vm.prank(OWNER);
        (bool ok,) = address(config).call(abi.encodeCall(SystemConfig.setGasTokenRate, (next)));
        vm.assertTrue(ok == (mayNow && fits), "set exactly when the rules allow");
    }

    function rate() external view returns (uint64 now_, uint64 then_) {
        (now_,, then_) = config.gasTokenRate();
    }
}

contract GasTokenRateInvariantTest is World {
    Rater internal rater;

    function setUp() public {
        rater = new Rater();
    }

    /// @dev Read by forge: calls go to the rater alone.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(rater);
    }

    function invariant_theRateIsWithinItsBounds() external view {
        (uint64 now_, uint64 then_) = rater.rate();
        vm.assertTrue(now_ >= RATE / 10 && now_ <= RATE * 10, "now");
        vm.assertTrue(then_ >= now_ && then_ <= RATE * 10, "then");
    }
}

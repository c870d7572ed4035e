// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";

import {InstantExit} from "../../src/bridge/InstantExit.sol";
import {ProviderShares} from "../../src/bridge/ProviderShares.sol";
import {SignedCheckpoints} from "../../src/bridge/SignedCheckpoints.sol";
import {Hashing} from "../../src/libraries/Hashing.sol";
import {Types} from "../../src/libraries/Types.sol";
import {HybridGame} from "../../src/dispute/HybridGame.sol";
import {World} from "../World.sol";
import {FeeToken, PlainToken} from "../tokens/Tokens.sol";

/// @notice A pool with attested blocks, and withdrawals for it.
abstract contract PoolWorld is World {
    using RLP for RLP.Encoder;

    uint256 internal constant ATTESTOR_KEY = 0x5E9;
    uint64 internal constant MIN_FEE = 1_000; // 0.1 %
    uint64 internal constant MAX_FEE = 21_000; // 2.1 %
    uint64 internal constant LOCK = 1 days;
    uint64 internal constant OVERDUE = 60 days;
    address internal constant PROVIDER = address(0x960);

    SignedCheckpoints internal checkpoints;
    InstantExit internal pool;

    function deployPool(IERC20 token) internal {
        checkpoints = SignedCheckpoints(
            proxied(
                address(new SignedCheckpoints(7411)),
                abi.encodeCall(SignedCheckpoints.initialize, (OWNER, vm.addr(ATTESTOR_KEY)))
            )
        );
        pool = InstantExit(
            proxied(
                address(
                    new InstantExit(InstantExit.Params(portal, checkpoints, token, MIN_FEE, MAX_FEE, LOCK, OVERDUE))
                ),
                ""
            )
        );
    }

    function provide(address provider, uint256 amount) internal returns (uint256) {
        vm.deal(provider, provider.balance + amount);
        vm.prank(provider);
        return pool.deposit{value: amount}(amount);
    }

    /// @dev The same where the currency is a token.
    function provideTokens(PlainToken token, address provider, uint256 amount) internal returns (uint256) {
        token.mint(provider, amount);
        vm.startPrank(provider);
        token.approve(address(pool), amount);
        uint256 minted = pool.deposit(amount);
        vm.stopPrank();
        return minted;
    }

    /// @dev A withdrawal by USER that the pool may pay ahead to RELAY.
    function poolWithdrawal(uint256 nonce, uint256 value, uint256 minPayout)
        internal
        view
        returns (Types.WithdrawalTransaction memory)
    {
        return Types.WithdrawalTransaction(
            (1 << 240) | nonce,
            USER,
            address(pool),
            value,
            200_000,
            abi.encodeCall(InstantExit.settle, (RELAY, value, minPayout))
        );
    }

    /// @dev Header of an L2 block, as far as it matters, in RLP.
    function header(uint256 number, bytes32 passerRoot) internal pure returns (bytes memory) {
        RLP.Encoder memory list = RLP.encoder();
        for (uint256 i = 0; i < 8; i++) {
            list.push(keccak256(abi.encode(i)));
        }
        list.push(number);
        for (uint256 i = 9; i < 16; i++) {
            list.push(i);
        }
        list.push(passerRoot);
        return list.encode();
    }

    function attest(uint256 number, bytes32 hash) internal {
        checkpoints.attest(number, hash, signed(ATTESTOR_KEY, number, hash));
    }

    function signed(uint256 key, uint256 number, bytes32 hash) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, checkpoints.digest(number, hash));
        return abi.encodePacked(r, s, v);
    }

    /// @dev Has the withdrawal attested as the only one of a block, and paid ahead.
    function exitOf(Types.WithdrawalTransaction memory w, uint256 number) internal returns (uint256) {
        (Types.OutputRootProof memory output, bytes[] memory proof) = outputWith(w);
        bytes memory head = header(number, output.messagePasserStorageRoot);
        attest(number, keccak256(head));
        return pool.exit(w, head, proof);
    }
}

contract InstantExitTest is PoolWorld {
    function setUp() public {
        deployWorld(IERC20(address(0)));
        deployPool(IERC20(address(0)));
        vm.deal(address(portal), 1000 ether);
    }

    function test_aWithdrawalIsPaidAtOnceAndThePoolRepaid() public {
        provide(PROVIDER, 100 ether);
        Types.WithdrawalTransaction memory w = poolWithdrawal(0, 10 ether, 9 ether);
        bytes32 hash = Hashing.hashWithdrawal(w);
        // A tenth is lent out: 0.1 % + 2 % / 10.
        vm.assertEq(pool.feeRoundedUp(10 ether), 0.03 ether, "fee");
        vm.assertEq(exitOf(w, 50), 9.97 ether, "payout");
        vm.assertEq(RELAY.balance, 9.97 ether, "paid");
        vm.assertEq(pool.cash(), 90.03 ether, "cash");
        vm.assertEq(pool.outstanding(), 10 ether, "outstanding");
        vm.assertEq(pool.totalAssets(), 100.03 ether, "assets, the fee among them");
        vm.expectRevert(abi.encodeWithSelector(InstantExit.AlreadyPaid.selector, hash));
        this.again(w, 50);

        settle(proveAs(USER, w, 10));
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
        vm.assertEq(RELAY.balance, 9.97 ether, "paid once");
        vm.assertEq(pool.cash(), 100.03 ether, "repaid");
        vm.assertEq(pool.outstanding(), 0, "nothing outstanding");
        vm.assertEq(address(pool).balance, 100.03 ether, "ether");
        uint256 shares = pool.shares(PROVIDER);
        vm.prank(PROVIDER);
        uint256 amount = pool.withdraw(shares);
        vm.assertTrue(amount > 100.0299 ether && amount <= 100.03 ether, "the fee is the provider's");
    }

    function again(Types.WithdrawalTransaction memory w, uint256 number) external {
        exitOf(w, number);
    }

    function test_aWithdrawalThatNobodyPaidGoesToItsRecipient() public {
        Types.WithdrawalTransaction memory w = poolWithdrawal(0, 10 ether, 0);
        settle(proveAs(USER, w, 10));
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
        vm.assertEq(RELAY.balance, 10 ether, "in full");
        provide(PROVIDER, 100 ether);
        vm.expectRevert(abi.encodeWithSelector(InstantExit.AlreadyPaid.selector, Hashing.hashWithdrawal(w)));
        this.again(w, 50);
    }

    /// Else anybody could have the recipient pay the fee just before the portal pays in full.
    function test_whatThePortalPaysNowThePoolDoesNot() public {
        provide(PROVIDER, 100 ether);
        Types.WithdrawalTransaction memory w = poolWithdrawal(0, 10 ether, 8 ether);
        bytes32 hash = Hashing.hashWithdrawal(w);
        address[3] memory provers = [USER, RELAY, TARGET]; // the sender, the recipient, the first of others
        for (uint256 i = 0; i < 3; i++) {
            uint256 before = vm.snapshotState();
            HybridGame game = proveAs(provers[i], w, 50 + i);
            vm.warp(block.timestamp + WINDOW);
            game.resolve();
            vm.warp(block.timestamp + FINALITY + MATURITY);
            vm.expectRevert(abi.encodeWithSelector(InstantExit.PayableInFull.selector, hash, provers[i]));
            this.again(w, 50);
            vm.prank(provers[i]);
            portal.finalizeWithdrawalTransaction(w);
            vm.assertEq(RELAY.balance, 10 ether, "in full");
            vm.revertToState(before);
        }
        HybridGame early = proveAs(USER, w, 50);
        vm.warp(block.timestamp + WINDOW);
        early.resolve();
        vm.assertEq(exitOf(w, 50), 9.97 ether, "proven, not final");
    }

    function test_dustIsNotPaidAhead() public {
        provide(PROVIDER, 10 ether);
        uint256 least = pool.MIN_VALUE();
        vm.expectRevert(abi.encodeWithSelector(InstantExit.ValueTooSmall.selector, least - 1));
        this.again(poolWithdrawal(0, least - 1, 0), 50);
        vm.assertTrue(exitOf(poolWithdrawal(1, least, 0), 51) != 0, "paid");
    }

    function test_ofEqualWithdrawalsEachRepaysItsOwn() public {
        provide(PROVIDER, 100 ether);
        Types.WithdrawalTransaction memory first = poolWithdrawal(0, 10 ether, 0);
        Types.WithdrawalTransaction memory second = poolWithdrawal(1, 10 ether, 0);
        uint256 payout = exitOf(first, 50);
        settle(proveAs(USER, second, 10));
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(second);
        vm.assertEq(pool.outstanding(), 10 ether, "the other is not repaid");
        vm.assertEq(RELAY.balance, payout + 10 ether, "it goes to its recipient");
        settle(proveAs(USER, first, 11));
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(first);
        vm.assertEq(RELAY.balance, payout + 10 ether, "one early, one in full");
        vm.assertEq(pool.cash(), 110 ether - payout, "cash");
    }

    function test_theFeeIsLimitedByTheWithdrawal() public {
        provide(PROVIDER, 100 ether);
        Types.WithdrawalTransaction memory w = poolWithdrawal(0, 10 ether, 9.98 ether);
        vm.expectRevert(abi.encodeWithSelector(InstantExit.PayoutTooSmall.selector, 9.97 ether, 9.98 ether));
        this.again(w, 50);
        provide(address(0x961), 900 ether);
        vm.assertTrue(pool.feeRoundedUp(10 ether) < 0.02 ether, "more money, smaller fee");
        this.again(w, 50);
    }

    function test_whatThePoolDoesNotHaveItDoesNotPay() public {
        provide(PROVIDER, 1 ether);
        Types.WithdrawalTransaction memory w = poolWithdrawal(0, 10 ether, 0);
        vm.assertEq(pool.feeRoundedUp(10 ether), 0.21 ether, "the highest fee");
        vm.expectRevert(abi.encodeWithSelector(InstantExit.NotEnoughCash.selector, 9.79 ether, 1 ether));
        this.again(w, 50);
    }

    function test_onlyWhatIsInAnAttestedBlockIsPaid() public {
        provide(PROVIDER, 100 ether);
        Types.WithdrawalTransaction memory w = poolWithdrawal(0, 10 ether, 0);
        (Types.OutputRootProof memory output, bytes[] memory proof) = outputWith(w);
        bytes memory head = header(50, output.messagePasserStorageRoot);
        vm.expectRevert(abi.encodeWithSelector(InstantExit.NotAttested.selector, 50, keccak256(head)));
        pool.exit(w, head, proof);
        bytes memory other = header(51, keccak256("other"));
        attest(51, keccak256(other));
        vm.expectRevert(abi.encodeWithSelector(InstantExit.NotInBlock.selector, Hashing.hashWithdrawal(w)));
        pool.exit(w, other, proof);
        attest(50, keccak256(head));
        pool.exit(w, head, proof);
    }

    function test_onlyWithdrawalsForThePoolArePaid() public {
        provide(PROVIDER, 100 ether);
        Types.WithdrawalTransaction memory w = poolWithdrawal(0, 10 ether, 0);
        w.target = TARGET;
        vm.expectRevert(InstantExit.NotForInstantExit.selector);
        this.again(w, 50);
        w = poolWithdrawal(0, 10 ether, 0);
        w.value = 9 ether;
        vm.expectRevert(InstantExit.NotForInstantExit.selector);
        this.again(w, 51);
        w = poolWithdrawal(0, 10 ether, 0);
        w.data = abi.encodeCall(ProviderShares.deposit, (10 ether));
        vm.expectRevert(InstantExit.NotForInstantExit.selector);
        this.again(w, 53);
        w = poolWithdrawal(0, 10 ether, 0);
        w.gasLimit = 1_000_001;
        vm.expectRevert(abi.encodeWithSelector(InstantExit.GasLimitTooHigh.selector, 1_000_001));
        this.again(w, 54);
    }

    function test_aPauseHoldsThePoolToo() public {
        provide(PROVIDER, 100 ether);
        vm.prank(GUARDIAN);
        pause.pause();
        vm.expectRevert(InstantExit.CallPaused.selector);
        this.again(poolWithdrawal(0, 10 ether, 0), 50);
    }

    function test_onlyThePortalSettles() public {
        vm.expectRevert(abi.encodeWithSelector(InstantExit.NotPortal.selector, address(this)));
        pool.settle(RELAY, 1, 0);
        vm.deal(address(portal), 5);
        vm.expectRevert(abi.encodeWithSelector(ProviderShares.WrongAmount.selector, 5, 6));
        vm.prank(address(portal));
        pool.settle{value: 5}(RELAY, 6, 0);
    }

    function test_sharesStayForAWhile() public {
        uint256 shares = provide(PROVIDER, 1 ether);
        vm.startPrank(PROVIDER);
        vm.expectRevert(abi.encodeWithSelector(ProviderShares.Locked.selector, uint64(block.timestamp) + LOCK));
        pool.withdraw(shares);
        vm.warp(block.timestamp + LOCK);
        vm.expectRevert(abi.encodeWithSelector(ProviderShares.NotEnoughShares.selector, shares + 1, shares));
        pool.withdraw(shares + 1);
        vm.expectRevert(ProviderShares.Nothing.selector);
        pool.withdraw(0);
        pool.withdraw(shares);
        vm.stopPrank();
        vm.assertEq(PROVIDER.balance, 1 ether - 1, "all of it, rounded down");
        vm.assertEq(pool.totalShares(), 0, "no shares");
    }

    function test_depositsBringWhatTheySay() public {
        vm.deal(PROVIDER, 10 ether);
        vm.startPrank(PROVIDER);
        vm.expectRevert(abi.encodeWithSelector(ProviderShares.WrongAmount.selector, 1, 2));
        pool.deposit{value: 1}(2);
        vm.expectRevert(ProviderShares.Nothing.selector);
        pool.deposit(0);
        vm.stopPrank();
    }

    function test_aFirstProviderCannotRobTheSecond() public {
        provide(PROVIDER, 1);
        // Ether forced into the pool is not counted, so the price of a share does not move.
        vm.deal(address(pool), 100 ether + 1);
        uint256 shares = provide(address(0x961), 1 ether);
        vm.assertTrue(pool.assetsRoundedDown(shares) >= 1 ether - 1000, "worth what was paid");
    }

    function test_refusedEtherReverts() public {
        provide(PROVIDER, 100 ether);
        Types.WithdrawalTransaction memory w = poolWithdrawal(0, 1 ether, 0);
        w.data = abi.encodeCall(InstantExit.settle, (address(config), 1 ether, 0));
        vm.expectRevert(
            abi.encodeWithSelector(
                ProviderShares.PaymentRefused.selector, address(config), 1 ether - pool.feeRoundedUp(1 ether)
            )
        );
        this.again(w, 50);
    }

    function test_parametersMustMakeSense() public {
        IERC20 none = IERC20(address(0));
        vm.expectRevert(InstantExit.BadParams.selector);
        new InstantExit(InstantExit.Params(portal, checkpoints, none, 2, 1, 0, 1));
        vm.expectRevert(InstantExit.BadParams.selector);
        new InstantExit(InstantExit.Params(portal, checkpoints, none, 2, 500_001, 0, 1));
        vm.expectRevert(InstantExit.BadParams.selector);
        new InstantExit(InstantExit.Params(portal, checkpoints, none, 2, 2, 0, 0));
        InstantExit.Params memory p = pool.parameters();
        vm.assertEq(address(p.checkpoints), address(checkpoints), "checkpoints");
        vm.assertEq(p.maxFee, MAX_FEE, "highest fee");
        vm.assertEq(pool.version(), "2.1.0", "version");
    }

    function testFuzz_theFeeIsWithinItsBoundsAndGrows(uint96 money, uint96 value, uint96 more) public {
        provide(PROVIDER, bound(money, 1, type(uint96).max));
        uint256 fee = pool.feeRoundedUp(value);
        vm.assertTrue(fee * 1_000_000 >= uint256(value) * MIN_FEE, "lowest");
        vm.assertTrue(fee * 1_000_000 < uint256(value) * MAX_FEE + 1_000_000, "highest");
        vm.assertTrue(pool.feeRoundedUp(uint256(value) + more) >= fee, "grows");
    }
}

contract SignedCheckpointsTest is PoolWorld {
    bytes32 internal constant HASH = keccak256("block");

    function setUp() public {
        deployWorld(IERC20(address(0)));
        deployPool(IERC20(address(0)));
    }

    function test_aSignedBlockCounts() public {
        vm.assertEq(checkpoints.blockHash(5), 0, "not yet");
        attest(5, HASH);
        attest(5, HASH);
        vm.assertEq(checkpoints.blockHash(5), HASH, "attested");
        vm.assertEq(checkpoints.version(), "1.0.0", "version");
        vm.assertEq(checkpoints.L2_CHAIN_ID(), 7411, "chain id");
    }

    function test_othersSignaturesDoNotCount() public {
        bytes memory signature = signed(77, 5, HASH);
        address attestor = vm.addr(ATTESTOR_KEY);
        vm.expectRevert(abi.encodeWithSelector(SignedCheckpoints.NotAttestor.selector, vm.addr(77), attestor));
        checkpoints.attest(5, HASH, signature);
        signature = signed(ATTESTOR_KEY, 6, HASH);
        vm.expectRevert();
        checkpoints.attest(5, HASH, signature);
        vm.expectRevert(SignedCheckpoints.NoHash.selector);
        checkpoints.attest(5, 0, signature);
    }

    function test_twoBlocksOfOneHeightVoidTheAttestor() public {
        attest(5, HASH);
        attest(6, HASH);
        attest(5, keccak256("other"));
        address attestor = vm.addr(ATTESTOR_KEY);
        vm.assertTrue(checkpoints.voided(attestor), "voided");
        vm.assertTrue(checkpoints.blockHash(5) == 0 && checkpoints.blockHash(6) == 0, "nothing counts");
        bytes memory signature = signed(ATTESTOR_KEY, 7, HASH);
        vm.expectRevert(abi.encodeWithSelector(SignedCheckpoints.Voided.selector, attestor));
        checkpoints.attest(7, HASH, signature);

        vm.expectRevert();
        vm.prank(USER);
        checkpoints.setAttestor(USER);
        vm.startPrank(OWNER);
        checkpoints.setAttestor(vm.addr(77));
        vm.stopPrank();
        checkpoints.attest(7, HASH, signed(77, 7, HASH));
        vm.assertEq(checkpoints.blockHash(7), HASH, "by the next attestor");
    }
}

contract InstantExitOfTokensTest is PoolWorld {
    PlainToken internal token;

    function setUp() public {
        token = new PlainToken();
        deployWorld(token);
        deployPool(token);
        token.mint(PROVIDER, 100 ether);
        token.mint(address(this), 1000 ether);
        token.approve(address(nativeBridge), type(uint256).max);
        nativeBridge.depositERC20Transaction(TARGET, 500 ether, 0, 100_000, false, "");
        vm.startPrank(PROVIDER);
        token.approve(address(pool), type(uint256).max);
        pool.deposit(100 ether);
        vm.stopPrank();
    }

    function test_tokensArePaidAtOnceAndRepaid() public {
        Types.WithdrawalTransaction memory w = poolWithdrawal(0, 10 ether, 9 ether);
        vm.assertEq(exitOf(w, 50), 9.97 ether, "payout");
        vm.assertEq(token.balanceOf(RELAY), 9.97 ether, "paid");
        settle(proveAs(USER, w, 10));
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
        vm.assertEq(pool.cash(), 100.03 ether, "repaid");
        vm.assertEq(token.balanceOf(address(pool)), 100.03 ether, "held");
    }

    function test_tokensThatNobodyPaidAheadGoToTheirRecipient() public {
        Types.WithdrawalTransaction memory w = poolWithdrawal(0, 10 ether, 0);
        settle(proveAs(USER, w, 10));
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
        vm.assertEq(token.balanceOf(RELAY), 10 ether, "in full");
        vm.assertEq(pool.cash(), 100 ether, "untouched");
    }

    function test_aCallThatClaimsMoreThanArrivedIsRefused() public {
        Types.WithdrawalTransaction memory w = poolWithdrawal(0, 10 ether, 0);
        w.data = abi.encodeCall(InstantExit.settle, (RELAY, 11 ether, 0));
        settle(proveAs(USER, w, 10));
        vm.expectRevert();
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
        vm.expectRevert(abi.encodeWithSelector(ProviderShares.WrongAmount.selector, 0, 1));
        vm.prank(address(portal));
        pool.settle(RELAY, 1, 0);
    }

    function test_etherIsNoDeposit() public {
        vm.deal(PROVIDER, 1);
        vm.expectRevert(abi.encodeWithSelector(ProviderShares.WrongAmount.selector, 1, 0));
        vm.prank(PROVIDER);
        pool.deposit{value: 1}(1);
        FeeToken fee = new FeeToken();
        deployPool(fee);
        fee.mint(PROVIDER, 1000);
        vm.startPrank(PROVIDER);
        fee.approve(address(pool), 1000);
        vm.expectRevert(abi.encodeWithSelector(ProviderShares.WrongAmount.selector, 990, 1000));
        pool.deposit(1000);
        vm.stopPrank();
    }
}

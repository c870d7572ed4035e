// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {InstantExit} from "../../src/bridge/InstantExit.sol";
import {HybridGame} from "../../src/dispute/HybridGame.sol";
import {GameStatus} from "../../src/interfaces/IDisputeGame.sol";
import {Hashing} from "../../src/libraries/Hashing.sol";
import {Types} from "../../src/libraries/Types.sol";
import {PlainToken} from "../tokens/Tokens.sol";
import {PoolWorld} from "./InstantExit.t.sol";

/// @notice Everybody at once: depositors, withdrawers, honest and dishonest proposers,
///         challengers, a guardian, providers of the pool, and time. It knows what L2 really
///         holds, and keeps a ledger of what must be true of L1.
contract Everybody is PoolWorld {
    /// @notice A withdrawal that L2 made (real) or that somebody made up.
    struct Exit {
        Types.WithdrawalTransaction tx;
        bytes32 hash;
        bool real;
        bool forPool;
        uint256 paidBefore;
    }

    Exit[] internal exits;
    HybridGame[] internal games;
    mapping(address game => bool) internal wasChallenged;

    uint256 public supply; // wei that L2 holds
    uint256 public onTheWay; // wei of real withdrawals that L1 has not paid
    uint256 public paid; // number of withdrawals paid
    uint256 public fakePaid; // of those, made up
    uint256 public unprovenPaid; // of those, not under a valid claim
    uint256 public challengedWon; // challenged games that were resolved as valid
    uint256 internal block_ = 1;

    PlainToken internal immutable TOKEN; // the currency of L2; zero: ether

    constructor(PlainToken token) {
        TOKEN = token;
        deployWorld(token);
        deployPool(token);
        _provide(1000 ether);
    }

    function _provide(uint256 amount) internal {
        if (address(TOKEN) == address(0)) provide(PROVIDER, amount);
        else provideTokens(TOKEN, PROVIDER, amount);
    }

    function deposit(uint256 amount) external {
        amount = bound(amount, 0, 100 ether);
        if (address(TOKEN) != address(0)) {
            TOKEN.mint(USER, amount);
            vm.startPrank(USER, USER);
            TOKEN.approve(address(nativeBridge), amount);
            try nativeBridge.depositERC20Transaction(USER, amount, amount, 100_000, false, "") {
                supply += amount;
            } catch {}
            vm.stopPrank();
            return;
        }
        vm.deal(USER, amount);
        vm.prank(USER, USER);
        (bool ok,) = address(portal).call{value: amount}("");
        if (ok) supply += amount;
    }

    /// @dev L2 burns money of its supply for a withdrawal.
    function withdrawOnL2(uint256 amount, bool forPool) external {
        amount = bound(amount, 0, supply);
        if (amount == 0) return;
        supply -= amount;
        onTheWay += amount;
        _add(amount, forPool, true);
    }

    /// @dev Somebody makes a withdrawal up.
    function forge(uint256 amount, bool forPool) external {
        _add(bound(amount, 1, 1000 ether), forPool, false);
    }

    function _add(uint256 amount, bool forPool, bool real) internal {
        if (exits.length >= 40) return _undo(amount, real);
        Types.WithdrawalTransaction memory w = forPool
            ? poolWithdrawal(exits.length, amount, 0)
            : Types.WithdrawalTransaction((1 << 240) | exits.length, USER, TARGET, amount, 50_000, "");
        exits.push(Exit(w, Hashing.hashWithdrawal(w), real, forPool, 0));
    }

    function _undo(uint256 amount, bool real) internal {
        if (!real) return;
        supply += amount;
        onTheWay -= amount;
    }

    /// @dev Claims an output with one withdrawal and proves it. Claims with made-up ones are
    ///      always challenged in time, as an honest challenger does; others sometimes, too.
    function claimAndProve(uint256 which, bool alsoChallenged) external {
        if (exits.length == 0 || games.length >= 60) return;
        which = which % exits.length;
        vm.warp(block.timestamp + 1); // after the latest retirement
        HybridGame game = proveAs(USER, exits[which].tx, block_++);
        games.push(game);
        if (!exits[which].real || alsoChallenged) {
            challenge(game);
            wasChallenged[address(game)] = true;
        }
    }

    function resolve(uint256 which) external {
        if (games.length == 0) return;
        HybridGame game = games[which % games.length];
        try game.resolve() {} catch {}
        if (wasChallenged[address(game)] && game.status() == GameStatus.DEFENDER_WINS) challengedWon++;
    }

    function finalise(uint256 which) external {
        if (exits.length == 0) return;
        Exit storage e = exits[which % exits.length];
        (, address proxy) = _proofOf(e.hash);
        bool valid = proxy != address(0) && registry.isGameClaimValid(HybridGame(proxy));
        bool before = portal.finalizedWithdrawals(e.hash);
        vm.prank(USER);
        try portal.finalizeWithdrawalTransaction(e.tx) {
            paid++;
            if (before) e.paidBefore++;
            if (!valid) unprovenPaid++;
            if (e.real) onTheWay -= e.tx.value;
            else fakePaid++;
        } catch {}
    }

    function payAhead(uint256 which) external {
        if (exits.length == 0) return;
        Exit storage e = exits[which % exits.length];
        // Attestors are honest here: what they sign is in the chain.
        if (!e.forPool || !e.real) return;
        try this.payAheadOf(e.tx) {} catch {}
    }

    function payAheadOf(Types.WithdrawalTransaction memory w) external {
        exitOf(w, uint256(Hashing.hashWithdrawal(w)) >> 200);
    }

    function comeAndGo(uint256 amount, bool come) external {
        if (come) {
            if (pool.overdueCount() != 0) return;
            _provide(bound(amount, 1, 100 ether));
            return;
        }
        vm.prank(PROVIDER);
        try pool.withdraw(bound(amount, 0, pool.shares(PROVIDER))) {} catch {}
    }

    function collect(uint256 id, uint256 which) external {
        if (exits.length == 0 || pool.sliceCount() == 0) return;
        try pool.collect(id % pool.sliceCount(), exits[which % exits.length].hash) {} catch {}
    }

    function markOverdue(uint256 which) external {
        if (exits.length == 0) return;
        try pool.markOverdue(exits[which % exits.length].hash) {} catch {}
    }

    function guard(uint256 what, uint256 which) external {
        vm.startPrank(GUARDIAN);
        if (what % 4 == 0) {
            try pause.pause() {} catch {}
        }
        if (what % 4 == 1) {
            try pause.unpause() {} catch {}
        }
        if (what % 4 == 2 && games.length != 0) {
            try registry.blacklistDisputeGame(address(games[which % games.length])) {} catch {}
        }
        if (what % 8 == 7) {
            try stakes.bar(stakes.stakeOf(CHALLENGER)) {} catch {}
        }
        if (what % 16 == 3) {
            try registry.updateRetirementTimestamp() {} catch {}
        }
        vm.stopPrank();
    }

    function payBond(uint256 id) external {
        uint256 count = vault.releaseCount();
        if (count == 0) return;
        try vault.withdraw(id % count) {} catch {}
    }

    function wait(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1 hours, 8 days));
        vm.roll(block.number + 1);
    }

    /// @dev Whether every real withdrawal that is not paid can still be paid: with all time in
    ///      the world, a new claim, a new proof and nobody's leave. Undone afterwards.
    function exitAll() external returns (bool) {
        vm.warp((pause.expiration() > block.timestamp ? pause.expiration() : block.timestamp) + 1);
        for (uint256 i = 0; i < exits.length; i++) {
            Exit storage e = exits[i];
            if (!e.real || portal.finalizedWithdrawals(e.hash)) continue;
            settle(proveAs(RELAY, e.tx, block_++));
            portal.finalizeWithdrawalTransactionExternalProof(e.tx, RELAY);
            onTheWay -= e.tx.value;
        }
        return onTheWay == 0;
    }

    function paidTwice() external view returns (uint256 count) {
        for (uint256 i = 0; i < exits.length; i++) {
            count += exits[i].paidBefore;
        }
    }

    function escrow() external view returns (uint256) {
        if (address(TOKEN) == address(0)) return address(portal).balance;
        vm.assertEq(address(portal).balance, 0, "ether in the portal");
        vm.assertEq(nativeBridge.locked(), TOKEN.balanceOf(address(nativeBridge)), "what the escrow holds and knows of");
        return nativeBridge.locked();
    }

    function bondsHeld() external view returns (uint256 held, uint256 needed) {
        held = address(vault).balance;
        for (uint256 i = 0; i < games.length; i++) {
            needed += vault.locked(address(games[i]));
        }
        for (uint256 i = 0; i < vault.releaseCount(); i++) {
            (address recipient,, uint256 amount) = vault.releases(i);
            if (recipient != address(0)) needed += amount;
        }
    }

    function stakesHeld() external view returns (uint256 held, uint256 needed) {
        return (address(stakes).balance, stakes.stakeCount() * STAKE);
    }

    function poolHeld() external view returns (uint256 held, uint256 booked, uint256 worth, uint256 assets) {
        held = address(TOKEN) == address(0) ? address(pool).balance : TOKEN.balanceOf(address(pool));
        booked = pool.cash() + pool.reserved();
        worth = pool.assetsRoundedDown(pool.shares(PROVIDER));
        assets = pool.totalAssets();
    }

    function pauseLeft() external view returns (uint256) {
        return pause.expiration() > block.timestamp ? pause.expiration() - block.timestamp : 0;
    }

    function _proofOf(bytes32 hash) internal view returns (uint64 since, address game) {
        (bool ok, bytes memory out) =
            address(portal).staticcall(abi.encodeWithSignature("provenWithdrawals(bytes32,address)", hash, USER));
        if (ok) (game, since) = abi.decode(out, (address, uint64));
    }

    receive() external payable {}
}

contract SettlementInvariantTest is PoolWorld {
    Everybody internal world;

    function setUp() public virtual {
        world = new Everybody(PlainToken(address(0)));
    }

    /// @dev Read by forge: calls go to the actors alone, and not to the undoable one.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(world);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    /// @dev Read by forge.
    function targetSelectors() external view returns (FuzzSelector[] memory list) {
        bytes4[] memory s = new bytes4[](13);
        s[0] = Everybody.deposit.selector;
        s[1] = Everybody.withdrawOnL2.selector;
        s[2] = Everybody.forge.selector;
        s[3] = Everybody.claimAndProve.selector;
        s[4] = Everybody.resolve.selector;
        s[5] = Everybody.finalise.selector;
        s[6] = Everybody.payAhead.selector;
        s[7] = Everybody.comeAndGo.selector;
        s[8] = Everybody.guard.selector;
        s[9] = Everybody.payBond.selector;
        s[10] = Everybody.wait.selector;
        s[11] = Everybody.collect.selector;
        s[12] = Everybody.markOverdue.selector;
        list = new FuzzSelector[](1);
        list[0] = FuzzSelector(address(world), s);
    }

    /// @dev All that must hold, in one campaign: what is checked costs little beside what
    ///      happens.
    /// forge-config: ci.invariant.depth = 40
    function invariant_everythingAddsUp() external view {
        checkEscrow();
        checkPayments();
        checkBonds();
        checkPool();
        vm.assertEq(world.challengedWon(), 0, "challenged claims that won");
        vm.assertTrue(world.pauseLeft() <= PAUSE_DURATION, "a pause expires");
    }

    function checkEscrow() internal view {
        vm.assertEq(world.escrow(), world.supply() + world.onTheWay(), "the escrow covers what L2 holds");
    }

    function checkPayments() internal view {
        vm.assertEq(world.paidTwice(), 0, "paid twice");
        vm.assertEq(world.fakePaid(), 0, "made-up withdrawals paid");
        vm.assertEq(world.unprovenPaid(), 0, "paid without a valid claim");
    }

    function checkBonds() internal view {
        (uint256 held, uint256 needed) = world.bondsHeld();
        vm.assertEq(held, needed, "bonds");
        (held, needed) = world.stakesHeld();
        vm.assertEq(held, needed, "stakes");
    }

    function checkPool() internal view {
        (uint256 held, uint256 booked, uint256 worth, uint256 assets) = world.poolHeld();
        vm.assertEq(held, booked, "cash and what slices own");
        vm.assertTrue(worth <= assets, "worth of the shares");
    }

    /// @dev Called by forge when a run ends: nothing is lost, whatever happened.
    function afterInvariant() external {
        vm.assertTrue(world.exitAll(), "a withdrawal cannot be paid any more");
    }
}

/// @notice The same where a token of L1 is the currency.
contract TokenSettlementInvariantTest is SettlementInvariantTest {
    function setUp() public override {
        world = new Everybody(new PlainToken());
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {TransparentUpgradeableProxy} from "@openzeppelin/contracts/proxy/transparent/TransparentUpgradeableProxy.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";

import {L1CrossDomainMessenger} from "../src/bridge/L1CrossDomainMessenger.sol";
import {L1StandardBridge} from "../src/bridge/L1StandardBridge.sol";
import {NativeTokenBridge} from "../src/bridge/NativeTokenBridge.sol";
import {Portal} from "../src/bridge/Portal.sol";
import {AnchorStateRegistry} from "../src/dispute/AnchorStateRegistry.sol";
import {BondVault} from "../src/dispute/BondVault.sol";
import {ChallengerStakes} from "../src/dispute/ChallengerStakes.sol";
import {DisputeGameFactory} from "../src/dispute/DisputeGameFactory.sol";
import {HybridGame} from "../src/dispute/HybridGame.sol";
import {INativeEscrow} from "../src/interfaces/INativeEscrow.sol";
import {Hashing} from "../src/libraries/Hashing.sol";
import {TokenRate} from "../src/libraries/TokenRate.sol";
import {Types} from "../src/libraries/Types.sol";
import {Pause} from "../src/rollup/Pause.sol";
import {SystemConfig} from "../src/rollup/SystemConfig.sol";
import {Base} from "./Base.sol";

/// @notice All L1 contracts behind their proxies, and an L2 that is a single withdrawal
///         at a time.
abstract contract World is Base {
    uint32 internal constant GAME_TYPE = 7411;
    uint64 internal constant WINDOW = 7 days;
    uint256 internal constant MATURITY = 4 hours;
    uint256 internal constant FINALITY = 3 hours;
    uint64 internal constant BOND_DELAY = 2 hours;
    uint64 internal constant PAUSE_DURATION = 3 days;
    uint64 internal constant PAUSE_PERIOD = 30 days;
    uint256 internal constant BOND = 0.5 ether;
    uint64 internal constant RATE = 1000 gwei; // a thousand tokens for one ether
    uint256 internal constant STAKE = 50 ether;
    uint64 internal constant BAR_PERIOD = 7 days;
    uint64 internal constant CHAIN_START = START - 1 days;
    uint64 internal constant START = 1_800_000_000;

    address internal constant OWNER = address(0x0E0);
    address internal constant GUARDIAN = address(0x60A);
    address internal constant USER = address(0xA11CE);
    address internal constant RELAY = address(0xB0B);
    address internal constant TARGET = address(0x7A56E7);
    address internal constant PROPOSER = address(0x9609);
    address internal constant CHALLENGER = address(0xC4A1);
    address internal constant L2_MESSENGER = 0x4200000000000000000000000000000000000007;
    address internal constant L2_BRIDGE = 0x4200000000000000000000000000000000000010;
    address internal constant L2_ETHER = address(0xE7E6);

    TimelockController internal timelock;
    Pause internal pause;
    SystemConfig internal config;
    BondVault internal vault;
    AnchorStateRegistry internal registry;
    ChallengerStakes internal stakes;
    HybridGame internal gameImpl;
    DisputeGameFactory internal factory;
    Portal internal portal;
    L1CrossDomainMessenger internal messenger;
    L1StandardBridge internal bridge;
    NativeTokenBridge internal nativeBridge;

    function deployWorld(IERC20 nativeToken) internal {
        vm.warp(START);
        vm.roll(100);
        bool native = address(nativeToken) != address(0);
        address[] memory owners = new address[](1);
        owners[0] = OWNER;
        timelock = new TimelockController(10 days, owners, new address[](1), address(0));
        pause = Pause(
            proxied(
                address(new Pause(PAUSE_DURATION, PAUSE_PERIOD)), abi.encodeCall(Pause.initialize, (OWNER, GUARDIAN))
            )
        );
        SystemConfig.Settings memory first = settings();
        if (native) first.gasTokenRate = RATE;
        config = SystemConfig(
            proxied(
                address(
                    new SystemConfig(
                        address(0xBA7C4),
                        7411,
                        address(timelock),
                        IERC20Metadata(address(nativeToken)),
                        native ? rateBounds() : noBounds()
                    )
                ),
                abi.encodeCall(SystemConfig.initialize, (OWNER, first))
            )
        );
        // Creations from here on: vault 2, registry 2, stakes 2, game 1, factory 2, portal 2, messenger 2,
        // bridge 2, native 2.
        uint256 nonce = vm.getNonce(address(this));
        address registryAt = vm.computeCreateAddress(address(this), nonce + 3);
        address stakesAt = vm.computeCreateAddress(address(this), nonce + 5);
        address factoryAt = vm.computeCreateAddress(address(this), nonce + 8);
        address nativeAt = native ? vm.computeCreateAddress(address(this), nonce + 16) : address(0);
        vault = BondVault(
            proxied(address(new BondVault(BOND_DELAY, pause, AnchorStateRegistry(registryAt), stakesAt)), "")
        );
        registry = AnchorStateRegistry(
            proxied(
                address(new AnchorStateRegistry(DisputeGameFactory(factoryAt), pause, FINALITY)),
                abi.encodeCall(AnchorStateRegistry.initialize, (OWNER, GAME_TYPE))
            )
        );
        stakes = ChallengerStakes(proxied(address(new ChallengerStakes(STAKE, BAR_PERIOD, registry, vault)), ""));
        gameImpl = new HybridGame(HybridGame.Params(GAME_TYPE, WINDOW, registry, vault, stakes, CHAIN_START));
        factory = DisputeGameFactory(
            proxied(
                address(new DisputeGameFactory()),
                abi.encodeCall(DisputeGameFactory.initialize, (OWNER, GAME_TYPE, address(gameImpl), BOND))
            )
        );
        portal = Portal(
            payable(proxied(
                    address(new Portal(Portal.Params(registry, config, INativeEscrow(nativeAt), MATURITY))), ""
                ))
        );
        messenger = L1CrossDomainMessenger(proxied(address(new L1CrossDomainMessenger(portal, pause)), ""));
        bridge = L1StandardBridge(
            payable(proxied(
                    address(new L1StandardBridge(messenger, pause, native ? L2_ETHER : address(0))),
                    abi.encodeCall(L1StandardBridge.initialize, (OWNER, new address[](0)))
                ))
        );
        if (native) {
            nativeBridge = NativeTokenBridge(proxied(address(new NativeTokenBridge(nativeToken, portal)), ""));
            vm.assertEq(address(nativeBridge), nativeAt, "native bridge");
        }
        vm.assertEq(address(registry), registryAt, "registry");
        vm.assertEq(address(stakes), stakesAt, "stakes");
        vm.assertEq(address(factory), factoryAt, "factory");
    }

    /// @dev A proxy insists on a call when it is made: what needs no setup is asked its version.
    function proxied(address implementation, bytes memory setup) internal returns (address) {
        if (setup.length == 0) setup = abi.encodeWithSignature("version()");
        return address(new TransparentUpgradeableProxy(implementation, address(timelock), setup));
    }

    function settings() internal pure returns (SystemConfig.Settings memory) {
        return SystemConfig.Settings({
            batcher: address(0xBA7),
            sequencer: address(0x5E9),
            basefeeScalar: 1368,
            blobbasefeeScalar: 810_949,
            gasLimit: 10_000_000_000,
            eip1559Denominator: 250,
            eip1559Elasticity: 6,
            minBaseFee: 1_000_000,
            daMode: 0,
            gasTokenRate: 0
        });
    }

    function rateBounds() internal pure returns (TokenRate.Bounds memory) {
        return TokenRate.Bounds({min: RATE / 10, max: RATE * 10, minInterval: 10 minutes, maxAge: 1 days});
    }

    function noBounds() internal pure returns (TokenRate.Bounds memory none) {}

    /// @dev Claims an output root for a block as PROPOSER.
    function claim(bytes32 root, uint256 number) internal returns (HybridGame game, uint256 index) {
        vm.deal(PROPOSER, PROPOSER.balance + BOND);
        vm.prank(PROPOSER);
        game = HybridGame(factory.create{value: BOND}(GAME_TYPE, root, abi.encode(number)));
        index = factory.gameCount() - 1;
    }

    /// @dev Counters a game as CHALLENGER.
    function challenge(HybridGame game) internal {
        challengeAs(CHALLENGER, game);
    }

    /// @dev Counters a game; whoever has no stake that may challenge stakes.
    function challengeAs(address challenger, HybridGame game) internal {
        if (!stakes.mayChallenge(challenger)) stakeAs(challenger);
        vm.prank(challenger);
        game.challenge(bytes32(uint256(1)));
    }

    function stakeAs(address challenger) internal returns (uint256 id) {
        vm.deal(challenger, challenger.balance + STAKE);
        vm.prank(challenger);
        return stakes.stake{value: STAKE}();
    }

    /// @dev The output of a block in which the message passer holds this withdrawal alone,
    ///      and the withdrawal's proof: a trie of a single leaf.
    function outputWith(Types.WithdrawalTransaction memory withdrawal)
        internal
        pure
        returns (Types.OutputRootProof memory output, bytes[] memory proof)
    {
        bytes32 slot = Hashing.messagePasserSlot(Hashing.hashWithdrawal(withdrawal));
        proof = new bytes[](1);
        // A list of 35 bytes: a path of 33 bytes (0x20: an even leaf) and the value 1.
        proof[0] = abi.encodePacked(hex"e3a120", keccak256(abi.encode(slot)), hex"01");
        output = Types.OutputRootProof(0, keccak256("state"), keccak256(proof[0]), keccak256("block"));
    }

    /// @dev Claims the output with a withdrawal, and proves it as the caller given.
    function proveAs(address submitter, Types.WithdrawalTransaction memory withdrawal, uint256 number)
        internal
        returns (HybridGame game)
    {
        (Types.OutputRootProof memory output, bytes[] memory proof) = outputWith(withdrawal);
        uint256 index;
        (game, index) = claim(Hashing.hashOutputRootProof(output), number);
        vm.warp(block.timestamp + 1);
        vm.prank(submitter);
        portal.proveWithdrawalTransaction(withdrawal, index, output, proof);
    }

    /// @dev Lets the window, the finality delay and the maturity pass and resolves the game.
    function settle(HybridGame game) internal {
        vm.warp(block.timestamp + WINDOW);
        game.resolve();
        vm.warp(block.timestamp + FINALITY + MATURITY);
    }

    /// @dev A withdrawal by USER to TARGET.
    function withdrawalOf(uint256 nonce, uint256 value) internal pure returns (Types.WithdrawalTransaction memory) {
        return Types.WithdrawalTransaction((1 << 240) | nonce, USER, TARGET, value, 100_000, "");
    }
}

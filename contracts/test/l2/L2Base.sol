// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FeeVault} from "../../src/l2/FeeVault.sol";
import {GasPriceOracle} from "../../src/l2/GasPriceOracle.sol";
import {L1Block} from "../../src/l2/L1Block.sol";
import {L2CrossDomainMessenger} from "../../src/l2/L2CrossDomainMessenger.sol";
import {L2StandardBridge} from "../../src/l2/L2StandardBridge.sol";
import {L2ToL1MessagePasser} from "../../src/l2/L2ToL1MessagePasser.sol";
import {OptimismMintableERC20} from "../../src/l2/OptimismMintableERC20.sol";
import {OptimismMintableERC20Factory} from "../../src/l2/OptimismMintableERC20Factory.sol";
import {Predeploys} from "../../src/l2/Predeploys.sol";
import {PredeployAdmin} from "../../src/l2/PredeployAdmin.sol";
import {SequencerFeeVault} from "../../src/l2/SequencerFeeVault.sol";
import {WETH9} from "../../src/l2/WETH9.sol";
import {AddressAlias} from "../../src/libraries/AddressAlias.sol";
import {Base, Vm} from "../Base.sol";

/// @notice Cheatcodes that only the tests of predeploys use.
interface GenesisVm {
    function fee(uint256 baseFee) external;
    function mockCall(address callee, bytes calldata data, bytes calldata returned) external;
    function store(address account, bytes32 slot, bytes32 value) external;
}

/// @notice L2 as genesis makes it, without proxies.
abstract contract L2Base is Base {
    GenesisVm internal constant genesis = GenesisVm(address(vm));
    bytes32 internal constant GAS_TOKEN_SLOT = bytes32(uint256(keccak256("opstack.gaspayingtoken")) - 1);
    bytes32 internal constant GAS_TOKEN_NAME_SLOT = bytes32(uint256(keccak256("opstack.gaspayingtokenname")) - 1);
    bytes32 internal constant GAS_TOKEN_SYMBOL_SLOT = bytes32(uint256(keccak256("opstack.gaspayingtokensymbol")) - 1);

    address internal constant L1_MESSENGER = address(0x1111);
    address internal constant L1_BRIDGE = address(0x2222);
    address internal constant OWNER = address(0x3333);
    address internal constant ALICE = address(0xA11CE);
    address internal constant BOB = address(0xB0B);

    L2CrossDomainMessenger internal messenger = L2CrossDomainMessenger(Predeploys.L2_CROSS_DOMAIN_MESSENGER);
    L2StandardBridge internal bridge = L2StandardBridge(payable(Predeploys.L2_STANDARD_BRIDGE));
    L2ToL1MessagePasser internal passer = L2ToL1MessagePasser(payable(Predeploys.L2_TO_L1_MESSAGE_PASSER));
    OptimismMintableERC20Factory internal factory =
        OptimismMintableERC20Factory(Predeploys.OPTIMISM_MINTABLE_ERC20_FACTORY);
    L1Block internal l1Block = L1Block(Predeploys.L1_BLOCK);
    GasPriceOracle internal oracle = GasPriceOracle(Predeploys.GAS_PRICE_ORACLE);
    WETH9 internal weth = WETH9(payable(Predeploys.WETH));
    PredeployAdmin internal admin = PredeployAdmin(Predeploys.PROXY_ADMIN);

    function setUp() public virtual {
        vm.etch(address(messenger), type(L2CrossDomainMessenger).runtimeCode);
        vm.etch(address(bridge), type(L2StandardBridge).runtimeCode);
        vm.etch(address(passer), type(L2ToL1MessagePasser).runtimeCode);
        vm.etch(address(factory), type(OptimismMintableERC20Factory).runtimeCode);
        vm.etch(address(l1Block), type(L1Block).runtimeCode);
        vm.etch(address(oracle), type(GasPriceOracle).runtimeCode);
        vm.etch(address(weth), type(WETH9).runtimeCode);
        vm.etch(address(admin), type(PredeployAdmin).runtimeCode);
        vm.etch(Predeploys.SEQUENCER_FEE_WALLET, type(SequencerFeeVault).runtimeCode);
        vm.etch(Predeploys.BASE_FEE_VAULT, type(FeeVault).runtimeCode);
        set(address(messenger), 3, L1_MESSENGER);
        set(address(bridge), 0, address(messenger));
        set(address(bridge), 1, L1_BRIDGE);
        set(address(factory), 0, address(bridge));
        set(address(admin), 0, OWNER);
        vm.deal(ALICE, 100 ether);
    }

    function set(address account, uint256 slot, address value) internal {
        genesis.store(account, bytes32(slot), bytes32(uint256(uint160(value))));
    }

    /// @dev Makes the native currency a token of L1.
    function useGasToken() internal {
        genesis.store(address(l1Block), GAS_TOKEN_SLOT, bytes32((uint256(6) << 160) | 0x7013));
        // forge-lint: disable-next-line(unsafe-typecast)
        genesis.store(address(l1Block), GAS_TOKEN_NAME_SLOT, bytes32("Talaria"));
        // forge-lint: disable-next-line(unsafe-typecast)
        genesis.store(address(l1Block), GAS_TOKEN_SYMBOL_SLOT, bytes32("TLR"));
    }

    function nonceOf(uint240 counter) internal pure returns (uint256) {
        return (uint256(1) << 240) | counter;
    }

    /// @dev What a messenger's message is known by.
    function messageHash(uint256 nonce, address from, address to, uint256 value, uint256 gas, bytes memory data)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(
            abi.encodeWithSignature(
                "relayMessage(uint256,address,address,uint256,uint256,bytes)", nonce, from, to, value, gas, data
            )
        );
    }

    /// @dev Delivers a message as the deposit of the messenger on L1 does.
    function deliver(uint256 nonce, address from, address to, uint256 value, bytes memory data)
        internal
        returns (bytes32)
    {
        address caller = AddressAlias.toL2(L1_MESSENGER);
        vm.deal(caller, value);
        vm.prank(caller, caller);
        messenger.relayMessage{value: value}(nonce, from, to, value, 200_000, data);
        return messageHash(nonce, from, to, value, 200_000, data);
    }

    /// @dev What the message passer recorded last, of the logs recorded.
    function withdrawal()
        internal
        returns (address sender, address target, uint256 value, uint256 gasLimit, bytes memory data)
    {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = logs.length; i > 0; i--) {
            Vm.Log memory log = logs[i - 1];
            if (log.emitter != address(passer)) continue;
            sender = address(uint160(uint256(log.topics[2])));
            target = address(uint160(uint256(log.topics[3])));
            bytes32 withdrawalHash;
            (value, gasLimit, data, withdrawalHash) = abi.decode(log.data, (uint256, uint256, bytes, bytes32));
            vm.assertTrue(passer.sentMessages(withdrawalHash), "the withdrawal is recorded");
            return (sender, target, value, gasLimit, data);
        }
        revert("no withdrawal");
    }

    /// @dev What a message of the messenger to L1 says.
    function sentMessage()
        internal
        returns (address sender, address target, uint256 value, uint256 gasLimit, bytes memory data)
    {
        (address from, address to, uint256 carried,, bytes memory call) = withdrawal();
        vm.assertEq(from, address(messenger), "the messenger withdraws");
        vm.assertEq(to, L1_MESSENGER, "to its peer");
        bytes memory arguments = new bytes(call.length - 4);
        for (uint256 i = 0; i < arguments.length; i++) {
            arguments[i] = call[i + 4];
        }
        (, sender, target, value, gasLimit, data) =
            abi.decode(arguments, (uint256, address, address, uint256, uint256, bytes));
        vm.assertEq(carried, value, "the value goes along");
    }

    function newToken(address remote) internal returns (OptimismMintableERC20) {
        return OptimismMintableERC20(factory.createOptimismMintableERC20(remote, "Token", "TKN"));
    }
}

/// @notice A target that does what it is told.
contract Target {
    bool public fails;
    uint256 public received;
    address public sender;
    address internal reentered;
    bytes internal reenterData;

    receive() external payable {
        if (fails) revert("told to fail");
        received += msg.value;
    }

    function setFails(bool fails_) external {
        fails = fails_;
    }

    function setReenter(address to, bytes calldata data) external {
        reentered = to;
        reenterData = data;
    }

    function run() external payable {
        if (fails) revert("told to fail");
        received += msg.value;
        sender = L2CrossDomainMessenger(Predeploys.L2_CROSS_DOMAIN_MESSENGER).xDomainMessageSender();
        if (reentered != address(0)) {
            (bool ok, bytes memory reason) = reentered.call(reenterData);
            if (!ok) {
                assembly ("memory-safe") {
                    revert(add(reason, 0x20), mload(reason))
                }
            }
        }
    }

    /// @notice Uses up all gas, or returns more than a caller can pay for.
    function burn() external pure {
        assembly ("memory-safe") {
            invalid()
        }
    }

    function bomb() external pure {
        assembly ("memory-safe") {
            revert(0, 500000)
        }
    }
}

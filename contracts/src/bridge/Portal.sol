// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AddressAlias} from "../libraries/AddressAlias.sol";

/// @title Portal
/// @notice Entry from L1 to L2: every call of `depositTransaction` becomes one
///         transaction of type 0x7E on L2, which nobody can censor. Ether sent along is
///         locked here and minted to the sender on L2.
/// @dev Functions, event and unparameterised errors are those of OptimismPortal2 in the
///      OP Stack's public specification, so that its clients work unchanged. The
///      specification prices deposit gas by burning L1 gas; this contract bounds it
///      per L1 block instead and charges nothing.
contract Portal {
    /// @notice A deposit that creates a contract named a target; it must be zero.
    error OptimismPortal_BadTarget();
    /// @notice The data exceeds `MAX_DATA_BYTES`.
    error OptimismPortal_CalldataTooLarge();
    /// @notice The gas limit is below `minimumGasLimit` of the data's length.
    error OptimismPortal_GasLimitTooLow();
    /// @notice The deposits of this L1 block would exceed `MAX_BLOCK_GAS`; a smaller one,
    ///         of up to `available` gas, still fits, and the next block starts afresh.
    /// @param requested L2 gas that the deposit asks for.
    /// @param available L2 gas that this L1 block has left for deposits.
    error BlockGasExceeded(uint64 requested, uint64 available);

    /// @notice A deposit was made; L2 derives its transaction from this event alone.
    /// @param from       Sender on L2: the caller, aliased if it is a contract.
    /// @param to         Target on L2; zero and ignored for a contract creation.
    /// @param version    Version of `opaqueData`: always 0.
    /// @param opaqueData Packed: mint (32 bytes, wei), value (32 bytes, wei), gas limit
    ///                   (8 bytes), is creation (1 byte), data.
    event TransactionDeposited(address indexed from, address indexed to, uint256 indexed version, bytes opaqueData);

    /// @notice Version of the deposit event's encoding.
    uint256 public constant DEPOSIT_VERSION = 0;
    /// @notice L2 gas of a deposit made by a plain transfer to this contract.
    uint64 public constant RECEIVE_DEFAULT_GAS_LIMIT = 100_000;
    /// @notice Largest data of one deposit, in bytes.
    uint256 public constant MAX_DATA_BYTES = 120_000;
    /// @notice Largest sum of the gas limits of one L1 block's deposits, in L2 gas.
    uint64 public constant MAX_BLOCK_GAS = 20_000_000;

    /// @dev Slot 0, bits 0..63: the L1 block of the latest deposit.
    uint64 internal meteredBlock;
    /// @dev Slot 0, bits 64..127: gas limits of that block's deposits, summed.
    uint64 internal meteredGas;

    /// @notice Deposits the ether sent, to the sender's own address on L2. For externally
    ///         owned accounts: a contract's ether would be minted to its alias.
    receive() external payable {
        depositTransaction(msg.sender, msg.value, RECEIVE_DEFAULT_GAS_LIMIT, false, bytes(""));
    }

    /// @notice Orders a transaction on L2. The ether sent is minted to the sender there
    ///         before the transaction runs and stays its own if the transaction fails.
    /// @param _to         Target on L2; must be zero for a creation.
    /// @param _value      Wei to send to the target on L2, from the sender's L2 balance.
    /// @param _gasLimit   L2 gas, at least `minimumGasLimit(_data.length)`.
    /// @param _isCreation Whether the transaction creates a contract.
    /// @param _data       Call data, or init code of a creation, up to 120,000 bytes.
    function depositTransaction(address _to, uint256 _value, uint64 _gasLimit, bool _isCreation, bytes memory _data)
        public
        payable
    {
        if (_isCreation && _to != address(0)) revert OptimismPortal_BadTarget();
        // Bounds what L1 can force every L2 node to carry; L1 call data alone is too cheap to do so.
        if (_data.length > MAX_DATA_BYTES) revert OptimismPortal_CalldataTooLarge();
        if (_gasLimit < minimumGasLimit(uint64(_data.length))) revert OptimismPortal_GasLimitTooLow();
        _meter(_gasLimit);

        address from = _isExternallyOwned(msg.sender) ? msg.sender : AddressAlias.toL2(msg.sender);
        emit TransactionDeposited(
            from, _to, DEPOSIT_VERSION, abi.encodePacked(msg.value, _value, _gasLimit, _isCreation, _data)
        );
    }

    /// @notice L2 gas that deposits of the current L1 block may still ask for.
    function availableGas() external view returns (uint64) {
        return meteredBlock == block.number ? MAX_BLOCK_GAS - meteredGas : MAX_BLOCK_GAS;
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "0.1.0";
    }

    /// @notice Smallest gas limit that a deposit may have: the EIP-7623 floor of a call
    ///         without zero bytes, in L2 gas. A creation needs more to succeed on L2.
    /// @param _byteCount Length of the deposit's data in bytes.
    function minimumGasLimit(uint64 _byteCount) public pure returns (uint64) {
        return _byteCount * 40 + 21_000;
    }

    /// @dev Books `gasLimit` on the current L1 block.
    function _meter(uint64 gasLimit) internal {
        uint64 spent = meteredBlock == block.number ? meteredGas : 0;
        uint64 available = MAX_BLOCK_GAS - spent;
        if (gasLimit > available) revert BlockGasExceeded(gasLimit, available);
        meteredBlock = uint64(block.number);
        meteredGas = spent + gasLimit;
    }

    /// @dev Whether a key controls the caller on L2 as it does on L1. The origin of a
    ///      transaction has a key; so has an account with EIP-7702 delegation code
    ///      (0xef0100 and an address), which EIP-3541 lets no contract deploy.
    function _isExternallyOwned(address caller) internal view returns (bool) {
        if (caller == tx.origin) return true;
        if (caller.code.length != 23) return false;
        return bytes3(caller.code) == 0xef0100;
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StandardBridge} from "../bridge/StandardBridge.sol";
import {L1Block} from "./L1Block.sol";
import {Predeploys} from "./Predeploys.sol";

/// @title L2StandardBridge
/// @notice Predeploy at 0x4200000000000000000000000000000000000010: ether and tokens to and
///         from L1. A deposit that cannot be given out here goes back to its sender on L1.
/// @dev OP Stack specification, "Standard bridges". The way back is this project's: there
///      such a deposit stays with the messenger. Its event is the one that the
///      specification had for the purpose.
contract L2StandardBridge is StandardBridge {
    /// @notice The caller is not this contract.
    error NotSelf(address caller);

    /// @notice A withdrawal was initiated; the event's older form. Ether is the pair of
    ///         zero and 0xDeadDeAddeAddEAddeadDEaDDEAdDeaDDeAD0000.
    event WithdrawalInitiated(
        address indexed l1Token,
        address indexed l2Token,
        address indexed from,
        address to,
        uint256 amount,
        bytes extraData
    );
    /// @notice A deposit was given out; the event's older form.
    event DepositFinalized(
        address indexed l1Token,
        address indexed l2Token,
        address indexed from,
        address to,
        uint256 amount,
        bytes extraData
    );
    /// @notice A deposit could not be given out and is on its way back to `from` on L1.
    event DepositFailed(
        address indexed l1Token,
        address indexed l2Token,
        address indexed from,
        address to,
        uint256 amount,
        bytes extraData
    );

    /// @notice L1 gas of what goes back.
    uint32 public constant REFUND_GAS_LIMIT = 200_000;

    /// @notice Withdraws to the sender's own address on L1. For accounts with a key.
    /// @param _l2Token     Token on L2, 0xDeadDeAddeAddEAddeadDEaDDEAdDeaDDeAD0000 for ether.
    /// @param _amount      Amount, in the token's smallest unit; the value of the call for ether.
    /// @param _minGasLimit Gas of the transfer on L1, at least.
    /// @param _extraData   Passed on to the events of both layers.
    function withdraw(address _l2Token, uint256 _amount, uint32 _minGasLimit, bytes calldata _extraData)
        external
        payable
        onlyExternallyOwned
    {
        _withdraw(_l2Token, msg.sender, _amount, _minGasLimit, _extraData);
    }

    /// @notice Withdraws to `_to` on L1; the other parameters are those of `withdraw`.
    /// @param _to Recipient on L1.
    function withdrawTo(address _l2Token, address _to, uint256 _amount, uint32 _minGasLimit, bytes calldata _extraData)
        external
        payable
    {
        _withdraw(_l2Token, _to, _amount, _minGasLimit, _extraData);
    }

    /// @notice Gives out tokens for `finalizeBridgeERC20`, in a call of its own so that
    ///         nothing of a failure stays.
    function giveERC20(address _localToken, address _remoteToken, address _to, uint256 _amount) external {
        if (msg.sender != address(this)) revert NotSelf(msg.sender);
        _giveERC20(_localToken, _remoteToken, _to, _amount);
    }

    /// @notice The bridge on L1.
    function l1TokenBridge() external view returns (address) {
        return otherBridge;
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "1.0.0";
    }

    function _withdraw(address l2Token, address to, uint256 amount, uint32 minGasLimit, bytes memory extraData)
        internal
    {
        if (l2Token == Predeploys.LEGACY_ERC20_ETH) {
            if (msg.value != amount) revert WrongValue(msg.value, amount);
            _bridgeETH(msg.sender, to, amount, minGasLimit, extraData);
            return;
        }
        if (msg.value != 0) revert WrongValue(msg.value, 0);
        _bridgeERC20(l2Token, _remoteTokenOf(l2Token), msg.sender, to, amount, minGasLimit, extraData);
    }

    /// @dev What fails for want of gas leaves too little for the way back as well: 1/64 of
    ///      the call's gas. The message then fails as a whole and can be replayed with more.
    function _finalizeETH(address from, address to, uint256 amount, bytes calldata extraData) internal override {
        if (_giveETH(to, amount)) {
            _ethFinalized(from, to, amount, extraData);
            return;
        }
        messenger.sendMessage{value: amount}(
            otherBridge, abi.encodeCall(this.finalizeBridgeETH, (to, from, amount, extraData)), REFUND_GAS_LIMIT
        );
        emit DepositFailed(address(0), Predeploys.LEGACY_ERC20_ETH, from, to, amount, extraData);
    }

    /// @dev As for ether. A token that needs more than about 6,000,000 gas to be given out
    ///      can be sent back by who replays its deposit with just too little.
    function _finalizeERC20(
        address localToken,
        address remoteToken,
        address from,
        address to,
        uint256 amount,
        bytes calldata extraData
    ) internal override {
        try this.giveERC20(localToken, remoteToken, to, amount) {
            _erc20Finalized(localToken, remoteToken, from, to, amount, extraData);
        } catch {
            _sendERC20(localToken, remoteToken, to, from, amount, REFUND_GAS_LIMIT, extraData);
            emit DepositFailed(remoteToken, localToken, from, to, amount, extraData);
        }
    }

    function _ethInitiated(address from, address to, uint256 amount, bytes memory extraData) internal override {
        emit WithdrawalInitiated(address(0), Predeploys.LEGACY_ERC20_ETH, from, to, amount, extraData);
        super._ethInitiated(from, to, amount, extraData);
    }

    function _ethFinalized(address from, address to, uint256 amount, bytes memory extraData) internal override {
        emit DepositFinalized(address(0), Predeploys.LEGACY_ERC20_ETH, from, to, amount, extraData);
        super._ethFinalized(from, to, amount, extraData);
    }

    function _erc20Initiated(
        address localToken,
        address remoteToken,
        address from,
        address to,
        uint256 amount,
        bytes memory extraData
    ) internal override {
        emit WithdrawalInitiated(remoteToken, localToken, from, to, amount, extraData);
        super._erc20Initiated(localToken, remoteToken, from, to, amount, extraData);
    }

    function _erc20Finalized(
        address localToken,
        address remoteToken,
        address from,
        address to,
        uint256 amount,
        bytes memory extraData
    ) internal override {
        emit DepositFinalized(remoteToken, localToken, from, to, amount, extraData);
        super._erc20Finalized(localToken, remoteToken, from, to, amount, extraData);
    }

    function _hasCustomGasToken() internal view override returns (bool) {
        return L1Block(Predeploys.L1_BLOCK).isCustomGasToken();
    }
}

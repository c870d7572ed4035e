// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC165Checker} from "@openzeppelin/contracts/utils/introspection/ERC165Checker.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {SafeCall} from "../libraries/SafeCall.sol";
import {ILegacyMintableERC20, IOptimismMintableERC20} from "./IOptimismMintableERC20.sol";
import {L1Block} from "./L1Block.sol";
import {L2CrossDomainMessenger} from "./L2CrossDomainMessenger.sol";
import {Predeploys} from "./Predeploys.sol";

/// @title L2StandardBridge
/// @notice Predeploy at 0x4200000000000000000000000000000000000010: ether and tokens of L1,
///         from there and back. It mints and burns tokens that stand for one of L1
///         (OptimismMintableERC20) and holds none. A deposit that cannot be given out here
///         goes back to its sender on L1.
/// @dev OP Stack specification, "Standard bridges": functions and events are the
///      specification's, without tokens that L2 issues. The way back is this project's:
///      there, such a deposit stays with the messenger. Its event is the one that the
///      specification once had for the purpose.
contract L2StandardBridge {
    /// @notice The caller is not the bridge of L1, through the messenger.
    error NotTheOtherBridge(address caller);
    /// @notice The caller is not this contract.
    error NotSelf(address caller);
    /// @notice A contract of L1 or L2 called what gives to the caller's own address on L1,
    ///         where that address may be somebody else's. The functions with `To` name a
    ///         recipient; so must whoever calls by a deposit.
    error NotExternallyOwned(address caller);
    /// @notice Giving failed and had used most of its gas, `had`. A replay with more may
    ///         succeed; one with `enough` sends the deposit back if it does not.
    error NeedsMoreGas(uint256 had, uint256 enough);
    /// @notice Ether cannot be bridged as such where the native currency is another.
    error EtherWithCustomGasToken();
    /// @notice The value is not the amount named.
    error WrongValue(uint256 value, uint256 amount);
    /// @notice The token is not of a kind that stands for a token of L1.
    error NotMintable(address token);
    /// @notice The local token stands for another token than the remote one named.
    error WrongRemoteToken(address localToken, address remoteToken);

    /// @notice Ether is on its way to L1.
    event ETHBridgeInitiated(address indexed from, address indexed to, uint256 amount, bytes extraData);
    /// @notice Ether of L1 was given out.
    event ETHBridgeFinalized(address indexed from, address indexed to, uint256 amount, bytes extraData);
    /// @notice Tokens are on their way to L1.
    event ERC20BridgeInitiated(
        address indexed localToken,
        address indexed remoteToken,
        address indexed from,
        address to,
        uint256 amount,
        bytes extraData
    );
    /// @notice Tokens of L1 were given out.
    event ERC20BridgeFinalized(
        address indexed localToken,
        address indexed remoteToken,
        address indexed from,
        address to,
        uint256 amount,
        bytes extraData
    );
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

    /// @notice Gas with which giving out must succeed: a deposit that needs more goes back.
    uint256 public constant GIVE_GAS = 6_000_000;
    /// @notice L1 gas of what goes back.
    uint32 public constant REFUND_GAS_LIMIT = 200_000;
    /// @dev L1 gas of a withdrawal made by a plain transfer.
    uint32 internal constant RECEIVE_DEFAULT_GAS_LIMIT = 200_000;

    /// @notice The messenger of L2.
    /// @dev Slot 0. Genesis writes it.
    L2CrossDomainMessenger public messenger;
    /// @notice The bridge on L1.
    /// @dev Slot 1. Genesis writes it.
    address public otherBridge;

    modifier onlyExternallyOwned() {
        if (!Accounts.isOwnOnL1(msg.sender)) revert NotExternallyOwned(msg.sender);
        _;
    }

    modifier onlyOtherBridge() {
        if (msg.sender != address(messenger) || messenger.xDomainMessageSender() != otherBridge) {
            revert NotTheOtherBridge(msg.sender);
        }
        _;
    }

    /// @notice Withdraws the ether sent to the sender's own address. For accounts with a key.
    receive() external payable onlyExternallyOwned {
        _bridgeETH(msg.sender, RECEIVE_DEFAULT_GAS_LIMIT, "");
    }

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

    /// @notice Withdraws the ether sent to the sender's own address. For accounts with a key.
    /// @param _minGasLimit Gas of the transfer on L1, at least.
    /// @param _extraData   Passed on to the events of both layers.
    function bridgeETH(uint32 _minGasLimit, bytes calldata _extraData) external payable onlyExternallyOwned {
        _bridgeETH(msg.sender, _minGasLimit, _extraData);
    }

    /// @notice Withdraws the ether sent to `_to` on L1; the other parameters are those of
    ///         `bridgeETH`.
    /// @param _to Recipient on L1.
    function bridgeETHTo(address _to, uint32 _minGasLimit, bytes calldata _extraData) external payable {
        _bridgeETH(_to, _minGasLimit, _extraData);
    }

    /// @notice Withdraws tokens to the sender's own address. For accounts with a key.
    /// @param _localToken  Token on L2.
    /// @param _remoteToken Token on L1 that it stands for.
    /// @param _amount      Amount, in the token's smallest unit.
    /// @param _minGasLimit Gas of the transfer on L1, at least.
    /// @param _extraData   Passed on to the events of both layers.
    function bridgeERC20(
        address _localToken,
        address _remoteToken,
        uint256 _amount,
        uint32 _minGasLimit,
        bytes calldata _extraData
    ) external onlyExternallyOwned {
        _bridgeERC20(_localToken, _remoteToken, msg.sender, _amount, _minGasLimit, _extraData);
    }

    /// @notice Withdraws tokens to `_to`; the other parameters are those of `bridgeERC20`.
    /// @param _to Recipient on L1.
    function bridgeERC20To(
        address _localToken,
        address _remoteToken,
        address _to,
        uint256 _amount,
        uint32 _minGasLimit,
        bytes calldata _extraData
    ) external {
        _bridgeERC20(_localToken, _remoteToken, _to, _amount, _minGasLimit, _extraData);
    }

    /// @notice Gives out ether that was deposited on L1, or sends it back. For the bridge on L1.
    /// @dev What may have failed for want of gas does not go back: the message fails as a
    ///      whole and can be replayed with more (`_checkGas`).
    /// @param _from      Sender on L1.
    /// @param _to        Recipient on L2.
    /// @param _amount    Wei, equal to the value of this call.
    /// @param _extraData What the sender passed on.
    function finalizeBridgeETH(address _from, address _to, uint256 _amount, bytes calldata _extraData)
        external
        payable
        onlyOtherBridge
    {
        if (msg.value != _amount) revert WrongValue(msg.value, _amount);
        // Bridge and messenger could not pass it on.
        bool takes = _to != address(this) && _to != address(messenger);
        uint256 had = gasleft();
        if (takes && SafeCall.call(_to, _amount, "")) {
            emit DepositFinalized(address(0), Predeploys.LEGACY_ERC20_ETH, _from, _to, _amount, _extraData);
            emit ETHBridgeFinalized(_from, _to, _amount, _extraData);
            return;
        }
        _checkGas(had);
        messenger.sendMessage{value: _amount}(
            otherBridge, abi.encodeCall(this.finalizeBridgeETH, (_to, _from, _amount, _extraData)), REFUND_GAS_LIMIT
        );
        emit DepositFailed(address(0), Predeploys.LEGACY_ERC20_ETH, _from, _to, _amount, _extraData);
    }

    /// @notice Mints tokens that were deposited on L1, or sends them back. For the bridge on L1.
    /// @dev As for ether.
    /// @param _localToken  Token on L2.
    /// @param _remoteToken Token on L1.
    /// @param _from        Sender on L1.
    /// @param _to          Recipient on L2.
    /// @param _amount      Amount, in the token's smallest unit.
    /// @param _extraData   What the sender passed on.
    function finalizeBridgeERC20(
        address _localToken,
        address _remoteToken,
        address _from,
        address _to,
        uint256 _amount,
        bytes calldata _extraData
    ) external onlyOtherBridge {
        uint256 had = gasleft();
        try this.giveERC20(_localToken, _remoteToken, _to, _amount) {
            emit DepositFinalized(_remoteToken, _localToken, _from, _to, _amount, _extraData);
            emit ERC20BridgeFinalized(_localToken, _remoteToken, _from, _to, _amount, _extraData);
        } catch {
            _checkGas(had);
            _sendERC20(_localToken, _remoteToken, _to, _from, _amount, REFUND_GAS_LIMIT, _extraData);
            emit DepositFailed(_remoteToken, _localToken, _from, _to, _amount, _extraData);
        }
    }

    /// @notice Mints for `finalizeBridgeERC20`, in a call of its own so that nothing of a
    ///         failure stays.
    function giveERC20(address _localToken, address _remoteToken, address _to, uint256 _amount) external {
        if (msg.sender != address(this)) revert NotSelf(msg.sender);
        _checkPair(_localToken, _remoteToken);
        IOptimismMintableERC20(_localToken).mint(_to, _amount);
    }

    /// @notice The messenger of L2.
    function MESSENGER() external view returns (L2CrossDomainMessenger) {
        return messenger;
    }

    /// @notice The bridge on L1.
    function OTHER_BRIDGE() external view returns (address) {
        return otherBridge;
    }

    /// @notice The bridge on L1.
    function l1TokenBridge() external view returns (address) {
        return otherBridge;
    }

    /// @notice Always false: L2 is not paused.
    function paused() external pure returns (bool) {
        return false;
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "2.1.0";
    }

    function _withdraw(address l2Token, address to, uint256 amount, uint32 minGasLimit, bytes memory extraData)
        internal
    {
        if (l2Token == Predeploys.LEGACY_ERC20_ETH) {
            if (msg.value != amount) revert WrongValue(msg.value, amount);
            _bridgeETH(to, minGasLimit, extraData);
            return;
        }
        if (msg.value != 0) revert WrongValue(msg.value, 0);
        _bridgeERC20(l2Token, _remoteTokenOf(l2Token), to, amount, minGasLimit, extraData);
    }

    /// @dev Reverts if giving may have failed for want of gas. Running out of gas at any
    ///      depth uses up nearly all that was passed on (63/64 for each call down to it,
    ///      proxies included), so that what used less than half failed for another reason.
    ///      What fails with all of `GIVE_GAS` never succeeds.
    /// @param had Gas before giving began.
    function _checkGas(uint256 had) internal view {
        if (had < GIVE_GAS && had - gasleft() > had / 2) revert NeedsMoreGas(had, GIVE_GAS);
    }

    /// @dev Sends the ether of this call to `to` on L1.
    function _bridgeETH(address to, uint32 minGasLimit, bytes memory extraData) internal {
        if (L1Block(Predeploys.L1_BLOCK).isCustomGasToken()) revert EtherWithCustomGasToken();
        messenger.sendMessage{value: msg.value}(
            otherBridge, abi.encodeCall(this.finalizeBridgeETH, (msg.sender, to, msg.value, extraData)), minGasLimit
        );
        emit WithdrawalInitiated(address(0), Predeploys.LEGACY_ERC20_ETH, msg.sender, to, msg.value, extraData);
        emit ETHBridgeInitiated(msg.sender, to, msg.value, extraData);
    }

    /// @dev Burns tokens of the caller and sends as many of L1's to `to` there.
    function _bridgeERC20(
        address localToken,
        address remoteToken,
        address to,
        uint256 amount,
        uint32 minGasLimit,
        bytes memory extraData
    ) internal {
        _checkPair(localToken, remoteToken);
        IOptimismMintableERC20(localToken).burn(msg.sender, amount);
        _sendERC20(localToken, remoteToken, msg.sender, to, amount, minGasLimit, extraData);
        emit WithdrawalInitiated(remoteToken, localToken, msg.sender, to, amount, extraData);
        emit ERC20BridgeInitiated(localToken, remoteToken, msg.sender, to, amount, extraData);
    }

    /// @dev Has the bridge on L1 give out tokens.
    function _sendERC20(
        address localToken,
        address remoteToken,
        address from,
        address to,
        uint256 amount,
        uint32 minGasLimit,
        bytes memory extraData
    ) internal {
        messenger.sendMessage(
            otherBridge,
            abi.encodeCall(this.finalizeBridgeERC20, (remoteToken, localToken, from, to, amount, extraData)),
            minGasLimit
        );
    }

    /// @dev The token of L1 that a mintable one stands for; reverts for other tokens.
    function _remoteTokenOf(address token) internal view returns (address) {
        if (ERC165Checker.supportsInterface(token, type(IOptimismMintableERC20).interfaceId)) {
            return IOptimismMintableERC20(token).remoteToken();
        }
        if (ERC165Checker.supportsInterface(token, type(ILegacyMintableERC20).interfaceId)) {
            return ILegacyMintableERC20(token).l1Token();
        }
        revert NotMintable(token);
    }

    /// @dev Reverts unless the token is mintable and stands for the remote one.
    function _checkPair(address localToken, address remoteToken) internal view {
        if (_remoteTokenOf(localToken) != remoteToken) revert WrongRemoteToken(localToken, remoteToken);
    }
}

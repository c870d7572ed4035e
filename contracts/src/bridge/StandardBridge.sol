// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ERC165Checker} from "@openzeppelin/contracts/utils/introspection/ERC165Checker.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {SafeCall} from "../libraries/SafeCall.sol";
import {CrossDomainMessenger} from "./CrossDomainMessenger.sol";
import {ILegacyMintableERC20, IOptimismMintableERC20} from "./IOptimismMintableERC20.sol";

/// @title StandardBridge
/// @notice What the bridges of both layers have in common. A token that lives on this layer
///         is held here while it is on the other; a token that stands for one of the other
///         layer (OptimismMintableERC20) is burned and minted.
/// @dev OP Stack specification, "Standard bridges": functions and events are the
///      specification's. What is credited is what arrived: a token that takes a fee is
///      bridged less its fee. A token that rebases is refused by nobody, but what it loses
///      while held here is lost to the last who withdraw it. Tokens that return nothing are
///      taken. The first three slots are the same on both layers.
abstract contract StandardBridge is ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @notice The caller is not the bridge of the other layer, through the messenger.
    error NotTheOtherBridge(address caller);
    /// @notice A contract called what gives to the caller's own address on the other layer,
    ///         where that address may be somebody else's. `bridge…To` names a recipient.
    error NotExternallyOwned(address caller);
    /// @notice Ether cannot be bridged where the native currency is a custom gas token.
    error EtherWithCustomGasToken();
    /// @notice The value is not the amount named.
    error WrongValue(uint256 value, uint256 amount);
    /// @notice Nothing arrived of the token.
    error NothingReceived(address token);
    /// @notice The local token stands for another token than the remote one named.
    error WrongRemoteToken(address localToken, address remoteToken);
    /// @notice The recipient did not take the ether.
    error EtherRefused(address to, uint256 amount);

    /// @notice Ether is on its way to the other layer.
    event ETHBridgeInitiated(address indexed from, address indexed to, uint256 amount, bytes extraData);
    /// @notice Ether arrived from the other layer.
    event ETHBridgeFinalized(address indexed from, address indexed to, uint256 amount, bytes extraData);
    /// @notice Tokens are on their way to the other layer.
    event ERC20BridgeInitiated(
        address indexed localToken,
        address indexed remoteToken,
        address indexed from,
        address to,
        uint256 amount,
        bytes extraData
    );
    /// @notice Tokens arrived from the other layer.
    event ERC20BridgeFinalized(
        address indexed localToken,
        address indexed remoteToken,
        address indexed from,
        address to,
        uint256 amount,
        bytes extraData
    );

    /// @dev Gas on the other layer of a deposit made by a plain transfer.
    uint32 internal constant RECEIVE_DEFAULT_GAS_LIMIT = 200_000;

    /// @notice Amount of a local token that is held for holders of a remote token.
    /// @dev Slot 0.
    mapping(address localToken => mapping(address remoteToken => uint256)) public deposits;
    /// @notice The messenger of this layer.
    /// @dev Slot 1.
    CrossDomainMessenger public messenger;
    /// @notice The bridge of the other layer.
    /// @dev Slot 2.
    address public otherBridge;
    /// @dev Slots 3..49.
    uint256[47] private __gap;

    modifier onlyExternallyOwned() {
        if (!Accounts.isExternallyOwned(msg.sender)) revert NotExternallyOwned(msg.sender);
        _;
    }

    modifier onlyOtherBridge() {
        if (msg.sender != address(messenger) || messenger.xDomainMessageSender() != otherBridge) {
            revert NotTheOtherBridge(msg.sender);
        }
        _;
    }

    /// @notice Bridges the ether sent to the sender's own address. For accounts with a key.
    receive() external payable onlyExternallyOwned {
        _bridgeETH(msg.sender, msg.sender, msg.value, RECEIVE_DEFAULT_GAS_LIMIT, "");
    }

    /// @notice Bridges the ether sent to the sender's own address. For accounts with a key.
    /// @param _minGasLimit Gas of the transfer on the other layer, at least.
    /// @param _extraData   Passed on to the events of both layers.
    function bridgeETH(uint32 _minGasLimit, bytes calldata _extraData) external payable onlyExternallyOwned {
        _bridgeETH(msg.sender, msg.sender, msg.value, _minGasLimit, _extraData);
    }

    /// @notice Bridges the ether sent to `_to`.
    /// @param _to          Recipient on the other layer.
    /// @param _minGasLimit Gas of the transfer on the other layer, at least.
    /// @param _extraData   Passed on to the events of both layers.
    function bridgeETHTo(address _to, uint32 _minGasLimit, bytes calldata _extraData) external payable {
        _bridgeETH(msg.sender, _to, msg.value, _minGasLimit, _extraData);
    }

    /// @notice Bridges tokens to the sender's own address. For accounts with a key.
    /// @param _localToken  Token on this layer.
    /// @param _remoteToken Token on the other layer that stands for it, or that it stands for.
    /// @param _amount      Amount, in the token's smallest unit; the bridge must be allowed it.
    /// @param _minGasLimit Gas of the transfer on the other layer, at least.
    /// @param _extraData   Passed on to the events of both layers.
    function bridgeERC20(
        address _localToken,
        address _remoteToken,
        uint256 _amount,
        uint32 _minGasLimit,
        bytes calldata _extraData
    ) external onlyExternallyOwned {
        _bridgeERC20(_localToken, _remoteToken, msg.sender, msg.sender, _amount, _minGasLimit, _extraData);
    }

    /// @notice Bridges tokens to `_to`; the other parameters are those of `bridgeERC20`.
    /// @param _to Recipient on the other layer.
    function bridgeERC20To(
        address _localToken,
        address _remoteToken,
        address _to,
        uint256 _amount,
        uint32 _minGasLimit,
        bytes calldata _extraData
    ) external {
        _bridgeERC20(_localToken, _remoteToken, msg.sender, _to, _amount, _minGasLimit, _extraData);
    }

    /// @notice Gives out ether that was bridged on the other layer.
    /// @param _from      Sender on the other layer.
    /// @param _to        Recipient here.
    /// @param _amount    Wei, equal to the value of this call.
    /// @param _extraData What the sender passed on.
    function finalizeBridgeETH(address _from, address _to, uint256 _amount, bytes calldata _extraData)
        external
        payable
        onlyOtherBridge
    {
        if (_hasCustomGasToken()) revert EtherWithCustomGasToken();
        if (msg.value != _amount) revert WrongValue(msg.value, _amount);
        _finalizeETH(_from, _to, _amount, _extraData);
    }

    /// @notice Gives out tokens that were bridged on the other layer.
    /// @param _localToken  Token on this layer.
    /// @param _remoteToken Token on the other layer.
    /// @param _from        Sender on the other layer.
    /// @param _to          Recipient here.
    /// @param _amount      Amount, in the token's smallest unit.
    /// @param _extraData   What the sender passed on.
    function finalizeBridgeERC20(
        address _localToken,
        address _remoteToken,
        address _from,
        address _to,
        uint256 _amount,
        bytes calldata _extraData
    ) external onlyOtherBridge nonReentrant {
        _finalizeERC20(_localToken, _remoteToken, _from, _to, _amount, _extraData);
    }

    /// @notice The messenger of this layer.
    function MESSENGER() external view returns (CrossDomainMessenger) {
        return messenger;
    }

    /// @notice The bridge of the other layer.
    function OTHER_BRIDGE() external view returns (address) {
        return otherBridge;
    }

    /// @dev Sets whom the bridge trusts; for initialisers.
    function _setPeers(CrossDomainMessenger messenger_, address otherBridge_) internal {
        messenger = messenger_;
        otherBridge = otherBridge_;
    }

    /// @dev Sends `amount` wei of this call to `to` on the other layer.
    function _bridgeETH(address from, address to, uint256 amount, uint32 minGasLimit, bytes memory extraData) internal {
        if (_hasCustomGasToken()) revert EtherWithCustomGasToken();
        _ethInitiated(from, to, amount, extraData);
        messenger.sendMessage{value: amount}(
            otherBridge, abi.encodeCall(this.finalizeBridgeETH, (from, to, amount, extraData)), minGasLimit
        );
    }

    /// @dev Takes tokens of the caller and sends what arrived to `to` on the other layer.
    function _bridgeERC20(
        address localToken,
        address remoteToken,
        address from,
        address to,
        uint256 amount,
        uint32 minGasLimit,
        bytes memory extraData
    ) internal nonReentrant {
        if (_isMintable(localToken)) {
            _checkPair(localToken, remoteToken);
            IOptimismMintableERC20(localToken).burn(from, amount);
        } else {
            uint256 before = IERC20(localToken).balanceOf(address(this));
            IERC20(localToken).safeTransferFrom(from, address(this), amount);
            // A token's fee is its holder's to pay, so that what is held covers what is owed.
            amount = IERC20(localToken).balanceOf(address(this)) - before;
            if (amount == 0) revert NothingReceived(localToken);
            deposits[localToken][remoteToken] += amount;
        }
        _erc20Initiated(localToken, remoteToken, from, to, amount, extraData);
        _sendERC20(localToken, remoteToken, from, to, amount, minGasLimit, extraData);
    }

    /// @dev Tells the other bridge to give out tokens.
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

    /// @dev Gives out ether of this call, or reverts.
    function _finalizeETH(address from, address to, uint256 amount, bytes calldata extraData) internal virtual {
        if (!_giveETH(to, amount)) revert EtherRefused(to, amount);
        _ethFinalized(from, to, amount, extraData);
    }

    /// @dev Gives out tokens, or reverts.
    function _finalizeERC20(
        address localToken,
        address remoteToken,
        address from,
        address to,
        uint256 amount,
        bytes calldata extraData
    ) internal virtual {
        _giveERC20(localToken, remoteToken, to, amount);
        _erc20Finalized(localToken, remoteToken, from, to, amount, extraData);
    }

    /// @dev Passes ether on. The bridge and its messenger take none: it would stay there.
    function _giveETH(address to, uint256 amount) internal returns (bool success) {
        if (to == address(this) || to == address(messenger)) return false;
        return SafeCall.call(to, amount, "");
    }

    /// @dev Mints or releases tokens.
    function _giveERC20(address localToken, address remoteToken, address to, uint256 amount) internal {
        if (_isMintable(localToken)) {
            _checkPair(localToken, remoteToken);
            IOptimismMintableERC20(localToken).mint(to, amount);
        } else {
            deposits[localToken][remoteToken] -= amount;
            IERC20(localToken).safeTransfer(to, amount);
        }
    }

    function _ethInitiated(address from, address to, uint256 amount, bytes memory extraData) internal virtual {
        emit ETHBridgeInitiated(from, to, amount, extraData);
    }

    function _ethFinalized(address from, address to, uint256 amount, bytes memory extraData) internal virtual {
        emit ETHBridgeFinalized(from, to, amount, extraData);
    }

    function _erc20Initiated(
        address localToken,
        address remoteToken,
        address from,
        address to,
        uint256 amount,
        bytes memory extraData
    ) internal virtual {
        emit ERC20BridgeInitiated(localToken, remoteToken, from, to, amount, extraData);
    }

    function _erc20Finalized(
        address localToken,
        address remoteToken,
        address from,
        address to,
        uint256 amount,
        bytes memory extraData
    ) internal virtual {
        emit ERC20BridgeFinalized(localToken, remoteToken, from, to, amount, extraData);
    }

    /// @dev Whether a token is minted and burned by a bridge.
    function _isMintable(address token) internal view returns (bool) {
        return ERC165Checker.supportsInterface(token, type(IOptimismMintableERC20).interfaceId)
            || ERC165Checker.supportsInterface(token, type(ILegacyMintableERC20).interfaceId);
    }

    /// @dev The token of the other layer that a mintable one stands for.
    function _remoteTokenOf(address token) internal view returns (address) {
        return ERC165Checker.supportsInterface(token, type(IOptimismMintableERC20).interfaceId)
            ? IOptimismMintableERC20(token).remoteToken()
            : ILegacyMintableERC20(token).l1Token();
    }

    /// @dev Reverts unless the mintable token stands for the remote one.
    function _checkPair(address localToken, address remoteToken) internal view {
        if (_remoteTokenOf(localToken) != remoteToken) revert WrongRemoteToken(localToken, remoteToken);
    }

    /// @dev Whether the native currency of L2 is not ether.
    function _hasCustomGasToken() internal view virtual returns (bool);
}

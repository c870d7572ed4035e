// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IStandardBridge} from "../interfaces/IStandardBridge.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {Pause} from "../rollup/Pause.sol";
import {L1CrossDomainMessenger} from "./L1CrossDomainMessenger.sol";

/// @title L1StandardBridge
/// @notice Ether and ERC-20 tokens of L1, to L2 and back. Tokens are held here; what
///         arrives is what is credited, so that tokens that take a fee of transfers are
///         covered in full. Tokens whose balances change by themselves cannot be: what they
///         gain here is nobody's, and a token of which less is here than is owed takes no
///         more deposits and is paid out in proportion, so that nobody gains by being first.
/// @dev OP Stack specification, "Standard bridges", without tokens that L2 issues. Where the
///      currency of L2 is an L1 token, ether is bridged as a token: its address on L1 is
///      `ETHER`, its token on L2 is `L2_ETHER`.
contract L1StandardBridge is OwnableUpgradeable, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @notice Only the messenger, with a message of the bridge on L2, may call.
    error NotOtherBridge(address caller);
    /// @notice A contract's address is somebody else's on L2: name a receiver.
    error NotExternallyOwned(address caller);
    /// @notice Exits are paused until `until`, in seconds since 1970.
    error CallPaused(uint64 until);
    /// @notice The owner has named this token as one that cannot be bridged.
    error TokenRefused(address token);
    /// @notice Less of the token is here than is owed, in its smallest unit.
    error EscrowShort(address token, uint256 held, uint256 owed);
    /// @notice The transfer brought nothing.
    error NothingArrived(address token);
    /// @notice The pair of tokens is not owed so much, in the token's smallest unit.
    error NotOwed(address l1Token, address l2Token, uint256 amount, uint256 owed);
    /// @notice A transfer took more from the bridge than the amount.
    error TookTooMuch(address token, uint256 amount, uint256 taken);
    /// @notice The value sent is not the amount, in wei.
    error WrongValue(uint256 sent, uint256 amount);
    /// @notice Ether is a token on L2 here, or is none, and the call assumes the other.
    error WrongKindOfEther();
    /// @notice The receiver did not take the ether.
    error PaymentRefused(address receiver, uint256 amount);

    event ETHDepositInitiated(address indexed from, address indexed to, uint256 amount, bytes extraData);
    event ETHWithdrawalFinalized(address indexed from, address indexed to, uint256 amount, bytes extraData);
    event ERC20DepositInitiated(
        address indexed l1Token,
        address indexed l2Token,
        address indexed from,
        address to,
        uint256 amount,
        bytes extraData
    );
    event ERC20WithdrawalFinalized(
        address indexed l1Token,
        address indexed l2Token,
        address indexed from,
        address to,
        uint256 amount,
        bytes extraData
    );
    event ETHBridgeInitiated(address indexed from, address indexed to, uint256 amount, bytes extraData);
    event ETHBridgeFinalized(address indexed from, address indexed to, uint256 amount, bytes extraData);
    event ERC20BridgeInitiated(
        address indexed localToken,
        address indexed remoteToken,
        address indexed from,
        address to,
        uint256 amount,
        bytes extraData
    );
    event ERC20BridgeFinalized(
        address indexed localToken,
        address indexed remoteToken,
        address indexed from,
        address to,
        uint256 amount,
        bytes extraData
    );
    /// @notice Less of a token was here than is owed: of `amount`, `paid` was paid, in its
    ///         smallest unit.
    event PaidInProportion(address indexed l1Token, address indexed to, uint256 amount, uint256 paid);
    /// @notice A token was named as one that cannot be bridged, or no longer.
    event TokenRefusalSet(address indexed token, bool refused);

    /// @notice The bridge on L2, a predeploy.
    address public constant OTHER_BRIDGE = 0x4200000000000000000000000000000000000010;
    /// @notice L2 gas of a deposit made by a plain transfer to this contract.
    uint32 public constant RECEIVE_DEFAULT_GAS_LIMIT = 200_000;
    /// @notice Stands for ether where it is bridged as a token.
    address public constant ETHER = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE;

    /// @notice Carries messages to and from the bridge on L2.
    L1CrossDomainMessenger public immutable MESSENGER;
    /// @notice Stops exits for a bounded time.
    Pause public immutable PAUSE;
    /// @notice Token on L2 that stands for ether; zero where ether is the currency there.
    address public immutable L2_ETHER;

    /// @notice What is owed to a pair of tokens, in the smallest unit of the L1 token.
    /// @dev Slot 0.
    mapping(address l1Token => mapping(address l2Token => uint256)) public deposits;
    /// @notice What is owed of a token in all.
    /// @dev Slot 1.
    mapping(address l1Token => uint256) public owed;
    /// @notice Tokens that cannot be bridged to L2. Those that are here may leave.
    /// @dev Slot 2.
    mapping(address l1Token => bool) public refused;

    constructor(L1CrossDomainMessenger messenger_, Pause pause, address l2Ether) {
        MESSENGER = messenger_;
        PAUSE = pause;
        L2_ETHER = l2Ether;
        _disableInitializers();
    }

    /// @param owner_   Who names tokens that cannot be bridged.
    /// @param refused_ Those known at first.
    function initialize(address owner_, address[] calldata refused_) external initializer {
        __Ownable_init(owner_);
        for (uint256 i = 0; i < refused_.length; i++) {
            _setRefused(refused_[i], true);
        }
    }

    /// @notice Sends the ether to the sender's own address on L2.
    receive() external payable {
        _bridgeETHTo(_self(), RECEIVE_DEFAULT_GAS_LIMIT, "");
    }

    /// @notice Names a token as one that cannot be bridged to L2, or takes that back.
    function setRefused(address token, bool refused_) external onlyOwner {
        _setRefused(token, refused_);
    }

    /// @notice Sends ether to the sender's own address on L2.
    /// @param _minGasLimit L2 gas of the transfer there, at least.
    /// @param _extraData   For whoever reads the events.
    function depositETH(uint32 _minGasLimit, bytes calldata _extraData) external payable {
        _bridgeETHTo(_self(), _minGasLimit, _extraData);
    }

    /// @notice Sends ether to an address on L2; parameters as in `depositETH`.
    function depositETHTo(address _to, uint32 _minGasLimit, bytes calldata _extraData) external payable {
        _bridgeETHTo(_to, _minGasLimit, _extraData);
    }

    /// @notice As `depositETH`.
    function bridgeETH(uint32 _minGasLimit, bytes calldata _extraData) external payable {
        _bridgeETHTo(_self(), _minGasLimit, _extraData);
    }

    /// @notice As `depositETHTo`.
    function bridgeETHTo(address _to, uint32 _minGasLimit, bytes calldata _extraData) external payable {
        _bridgeETHTo(_to, _minGasLimit, _extraData);
    }

    /// @notice Sends tokens to the sender's own address on L2. What arrives here is what is
    ///         credited there.
    /// @param _l1Token     Token on L1.
    /// @param _l2Token     Its token on L2; if it is not, the tokens come back.
    /// @param _amount      In the token's smallest unit.
    /// @param _minGasLimit L2 gas of the credit there, at least.
    /// @param _extraData   For whoever reads the events.
    function depositERC20(
        address _l1Token,
        address _l2Token,
        uint256 _amount,
        uint32 _minGasLimit,
        bytes calldata _extraData
    ) external {
        _bridgeERC20To(_l1Token, _l2Token, _self(), _amount, _minGasLimit, _extraData);
    }

    /// @notice Sends tokens to an address on L2; parameters as in `depositERC20`.
    function depositERC20To(
        address _l1Token,
        address _l2Token,
        address _to,
        uint256 _amount,
        uint32 _minGasLimit,
        bytes calldata _extraData
    ) external {
        _bridgeERC20To(_l1Token, _l2Token, _to, _amount, _minGasLimit, _extraData);
    }

    /// @notice As `depositERC20`.
    function bridgeERC20(
        address _localToken,
        address _remoteToken,
        uint256 _amount,
        uint32 _minGasLimit,
        bytes calldata _extraData
    ) external {
        _bridgeERC20To(_localToken, _remoteToken, _self(), _amount, _minGasLimit, _extraData);
    }

    /// @notice As `depositERC20To`.
    function bridgeERC20To(
        address _localToken,
        address _remoteToken,
        address _to,
        uint256 _amount,
        uint32 _minGasLimit,
        bytes calldata _extraData
    ) external {
        _bridgeERC20To(_localToken, _remoteToken, _to, _amount, _minGasLimit, _extraData);
    }

    /// @notice Pays ether that came back from L2; only for the bridge there.
    function finalizeBridgeETH(address _from, address _to, uint256 _amount, bytes calldata _extraData)
        external
        payable
        onlyOtherBridge
    {
        if (L2_ETHER != address(0)) revert WrongKindOfEther();
        if (msg.value != _amount) revert WrongValue(msg.value, _amount);
        emit ETHWithdrawalFinalized(_from, _to, _amount, _extraData);
        emit ETHBridgeFinalized(_from, _to, _amount, _extraData);
        _pay(_to, _amount);
    }

    /// @notice Pays tokens that came back from L2; only for the bridge there.
    function finalizeBridgeERC20(
        address _localToken,
        address _remoteToken,
        address _from,
        address _to,
        uint256 _amount,
        bytes calldata _extraData
    ) external onlyOtherBridge nonReentrant {
        uint256 due = deposits[_localToken][_remoteToken];
        if (_amount > due) revert NotOwed(_localToken, _remoteToken, _amount, due);
        uint256 share = _localToken == ETHER ? _amount : _shareRoundedDown(_localToken, _to, _amount);
        deposits[_localToken][_remoteToken] = due - _amount;
        owed[_localToken] -= _amount;
        if (_localToken == ETHER) _pay(_to, share);
        else _transferOut(IERC20(_localToken), _to, share);
        emit ERC20WithdrawalFinalized(_localToken, _remoteToken, _from, _to, _amount, _extraData);
        emit ERC20BridgeFinalized(_localToken, _remoteToken, _from, _to, _amount, _extraData);
    }

    /// @notice The messenger.
    function messenger() external view returns (L1CrossDomainMessenger) {
        return MESSENGER;
    }

    /// @notice The bridge on L2.
    function otherBridge() external pure returns (address) {
        return OTHER_BRIDGE;
    }

    /// @notice The bridge on L2.
    function l2TokenBridge() external pure returns (address) {
        return OTHER_BRIDGE;
    }

    /// @notice Whether exits are paused.
    function paused() external view returns (bool) {
        return PAUSE.paused();
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "2.1.1";
    }

    modifier onlyOtherBridge() {
        _checkOtherBridge();
        _;
    }

    function _checkOtherBridge() internal view {
        if (msg.sender != address(MESSENGER) || MESSENGER.xDomainMessageSender() != OTHER_BRIDGE) {
            revert NotOtherBridge(msg.sender);
        }
        if (PAUSE.paused()) revert CallPaused(PAUSE.expiration());
    }

    /// @dev The caller, if its address is its own on L2 too.
    function _self() internal view returns (address) {
        if (!Accounts.isExternallyOwned(msg.sender)) revert NotExternallyOwned(msg.sender);
        return msg.sender;
    }

    function _setRefused(address token, bool refused_) internal {
        refused[token] = refused_;
        emit TokenRefusalSet(token, refused_);
    }

    function _bridgeETHTo(address to, uint32 minGasLimit, bytes memory extraData) internal {
        if (L2_ETHER != address(0)) {
            _credit(ETHER, L2_ETHER, to, msg.value, minGasLimit, extraData);
            return;
        }
        emit ETHDepositInitiated(msg.sender, to, msg.value, extraData);
        emit ETHBridgeInitiated(msg.sender, to, msg.value, extraData);
        MESSENGER.sendMessage{value: msg.value}(
            OTHER_BRIDGE,
            abi.encodeCall(IStandardBridge.finalizeBridgeETH, (msg.sender, to, msg.value, extraData)),
            minGasLimit
        );
    }

    function _bridgeERC20To(
        address l1Token,
        address l2Token,
        address to,
        uint256 amount,
        uint32 minGasLimit,
        bytes calldata extraData
    ) internal nonReentrant {
        if (refused[l1Token]) revert TokenRefused(l1Token);
        uint256 before = IERC20(l1Token).balanceOf(address(this));
        if (before < owed[l1Token]) revert EscrowShort(l1Token, before, owed[l1Token]);
        IERC20(l1Token).safeTransferFrom(msg.sender, address(this), amount);
        uint256 arrived = IERC20(l1Token).balanceOf(address(this)) - before;
        if (arrived == 0) revert NothingArrived(l1Token);
        // A token may book growth of the whole escrow with the transfer: that is nobody's.
        _credit(l1Token, l2Token, to, Math.min(arrived, amount), minGasLimit, extraData);
    }

    /// @dev Books what has arrived and has the bridge on L2 issue as much.
    function _credit(
        address l1Token,
        address l2Token,
        address to,
        uint256 amount,
        uint32 minGasLimit,
        bytes memory extraData
    ) internal {
        deposits[l1Token][l2Token] += amount;
        owed[l1Token] += amount;
        emit ERC20DepositInitiated(l1Token, l2Token, msg.sender, to, amount, extraData);
        emit ERC20BridgeInitiated(l1Token, l2Token, msg.sender, to, amount, extraData);
        MESSENGER.sendMessage(
            OTHER_BRIDGE,
            abi.encodeCall(IStandardBridge.finalizeBridgeERC20, (l2Token, l1Token, msg.sender, to, amount, extraData)),
            minGasLimit
        );
    }

    /// @dev What is paid of an amount owed: all of it, unless less is here than is owed.
    function _shareRoundedDown(address token, address to, uint256 amount) internal returns (uint256 share) {
        uint256 held = IERC20(token).balanceOf(address(this));
        uint256 all = owed[token];
        if (held >= all) return amount;
        share = Math.mulDiv(amount, held, all);
        if (share == 0) revert EscrowShort(token, held, all);
        emit PaidInProportion(token, to, amount, share);
    }

    /// @dev A token may give the receiver less than the amount, but may not take more here.
    function _transferOut(IERC20 token, address to, uint256 amount) internal {
        uint256 before = token.balanceOf(address(this));
        token.safeTransfer(to, amount);
        uint256 afterwards = token.balanceOf(address(this));
        if (afterwards + amount < before) revert TookTooMuch(address(token), amount, before - afterwards);
    }

    function _pay(address to, uint256 amount) internal {
        (bool paid,) = to.call{value: amount}("");
        if (!paid) revert PaymentRefused(to, amount);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {INativeEscrow} from "../interfaces/INativeEscrow.sol";
import {Portal} from "./Portal.sol";

/// @title NativeTokenBridge
/// @notice For a chain whose currency is an L1 token: locks the token and has the portal
///         mint as much of the currency on L2; pays it out for withdrawals. One smallest
///         unit of the token is one wei of L2, so the token should have 18 decimals. Tokens
///         that take a fee of transfers are refused.
contract NativeTokenBridge is INativeEscrow, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @notice Only the portal may have tokens paid out.
    error NotPortal(address caller);
    /// @notice Other than the amount arrived or left, in the token's smallest unit.
    error AmountChanged(uint256 amount, uint256 moved);

    /// @notice Tokens were locked, in their smallest unit.
    event Locked(address indexed from, uint256 amount);
    /// @notice Tokens were paid out, in their smallest unit.
    event Released(address indexed to, uint256 amount);

    /// @notice The currency of L2.
    IERC20 public immutable TOKEN;
    /// @notice The way to and from L2.
    Portal public immutable PORTAL;

    /// @notice Tokens locked, in their smallest unit: the supply of L2's currency, apart from
    ///         what its genesis gave and what is on the way.
    /// @dev Slot 0.
    uint256 public locked;

    constructor(IERC20 token, Portal portal) {
        TOKEN = token;
        PORTAL = portal;
    }

    /// @notice Locks tokens of the caller and orders a transaction on L2, to whose sender as
    ///         much of the currency is minted before it runs; it stays its own if the
    ///         transaction fails.
    /// @param _to         Target on L2; must be zero for a creation.
    /// @param _mint       Tokens to lock, in their smallest unit.
    /// @param _value      Wei of L2 to send to the target.
    /// @param _gasLimit   L2 gas, at least the portal's `minimumGasLimit`.
    /// @param _isCreation Whether the transaction creates a contract.
    /// @param _data       Call data or init code.
    function depositERC20Transaction(
        address _to,
        uint256 _mint,
        uint256 _value,
        uint64 _gasLimit,
        bool _isCreation,
        bytes calldata _data
    ) external nonReentrant {
        if (_mint != 0) {
            uint256 before = TOKEN.balanceOf(address(this));
            TOKEN.safeTransferFrom(msg.sender, address(this), _mint);
            uint256 arrived = TOKEN.balanceOf(address(this)) - before;
            if (arrived != _mint) revert AmountChanged(_mint, arrived);
            locked += _mint;
            emit Locked(msg.sender, _mint);
        }
        PORTAL.depositNative(msg.sender, _to, _mint, _value, _gasLimit, _isCreation, _data);
    }

    /// @inheritdoc INativeEscrow
    function release(address to, uint256 amount) external nonReentrant {
        if (msg.sender != address(PORTAL)) revert NotPortal(msg.sender);
        locked -= amount;
        uint256 before = TOKEN.balanceOf(address(this));
        TOKEN.safeTransfer(to, amount);
        uint256 left = before - TOKEN.balanceOf(address(this));
        if (left != amount) revert AmountChanged(amount, left);
        emit Released(to, amount);
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "1.0.0";
    }
}

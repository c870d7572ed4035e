// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {L1Block} from "./L1Block.sol";
import {Predeploys} from "./Predeploys.sol";

/// @title WETH9
/// @notice Predeploy at 0x4200000000000000000000000000000000000006: the native currency as
///         an ERC-20 token, one for one. It has no owner and no proxy.
/// @dev Functions and events are those of the contract of this name on Ethereum.
contract WETH9 is ERC20("", "") {
    /// @notice The account did not take the native currency.
    error TransferRefused(address account);

    /// @notice Native currency was wrapped.
    event Deposit(address indexed dst, uint256 wad);
    /// @notice Native currency was unwrapped.
    event Withdrawal(address indexed src, uint256 wad);

    /// @notice Wraps the native currency sent.
    receive() external payable {
        deposit();
    }

    /// @notice Wraps the native currency sent, with whatever call data.
    fallback() external payable {
        deposit();
    }

    /// @notice Unwraps.
    /// @param wad Amount in wei.
    function withdraw(uint256 wad) external {
        _burn(msg.sender, wad);
        (bool success,) = msg.sender.call{value: wad}("");
        if (!success) revert TransferRefused(msg.sender);
        emit Withdrawal(msg.sender, wad);
    }

    /// @notice Wraps the native currency sent.
    function deposit() public payable {
        _mint(msg.sender, msg.value);
        emit Deposit(msg.sender, msg.value);
    }

    /// @notice "Wrapped " and the name of the native currency.
    function name() public view override returns (string memory) {
        return string.concat("Wrapped ", L1Block(Predeploys.L1_BLOCK).gasPayingTokenName());
    }

    /// @notice "W" and the symbol of the native currency.
    function symbol() public view override returns (string memory) {
        return string.concat("W", L1Block(Predeploys.L1_BLOCK).gasPayingTokenSymbol());
    }
}

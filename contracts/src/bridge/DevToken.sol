// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title DevToken
/// @notice A token of L1 for chains that try out a currency of their own: a fixed supply,
///         given out once. It is worth nothing.
contract DevToken is ERC20Permit {
    /// @param name_   Name.
    /// @param symbol_ Symbol.
    /// @param holders Who gets tokens.
    /// @param each    How many each of them gets, in wei.
    constructor(string memory name_, string memory symbol_, address[] memory holders, uint256 each)
        ERC20(name_, symbol_)
        ERC20Permit(name_)
    {
        for (uint256 i = 0; i < holders.length; i++) {
            _mint(holders[i], each);
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice An ERC-20 that keeps a hundredth of every transfer.
contract Toll is ERC20 {
    constructor() ERC20("Toll", "TOL") {
        _mint(msg.sender, 1_000_000 ether);
    }

    function _update(address from, address to, uint256 value) internal override {
        uint256 toll = from == address(0) || to == address(0) ? 0 : value / 100;
        super._update(from, to, value - toll);
        if (toll > 0) super._update(from, address(0xdead), toll);
    }
}

/// @notice A token of six decimals whose functions return nothing, and whose allowance
///         must be zero before it changes, as with the oldest dollar tokens.
contract Silent {
    string public constant name = "Silent";
    string public constant symbol = "SIL";
    uint8 public constant decimals = 6;
    uint256 public constant totalSupply = 1_000_000e6;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    constructor() {
        balanceOf[msg.sender] = totalSupply;
    }

    function approve(address spender, uint256 value) external {
        require(value == 0 || allowance[msg.sender][spender] == 0, "set it to zero first");
        allowance[msg.sender][spender] = value;
    }

    function transfer(address to, uint256 value) external {
        _move(msg.sender, to, value);
    }

    function transferFrom(address from, address to, uint256 value) external {
        allowance[from][msg.sender] -= value;
        _move(from, to, value);
    }

    function _move(address from, address to, uint256 value) internal {
        balanceOf[from] -= value;
        balanceOf[to] += value;
    }
}

/// @notice A token whose balances shrink and grow together.
contract Elastic is ERC20 {
    uint256 internal percent = 100;

    constructor() ERC20("Elastic", "ELA") {
        _mint(msg.sender, 1_000_000 ether);
    }

    function rebase(uint256 percent_) external {
        percent = percent_;
    }

    function balanceOf(address owner) public view override returns (uint256) {
        return super.balanceOf(owner) * percent / 100;
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A token that its bridge mints and burns, because it stands for one of L1.
/// @dev OP Stack specification; the interface id is 0xec4fc8e3.
interface IOptimismMintableERC20 {
    function remoteToken() external view returns (address);
    function bridge() external view returns (address);
    function mint(address _to, uint256 _amount) external;
    function burn(address _from, uint256 _amount) external;
}

/// @notice The same before tokens could come from either layer; the interface id is 0x1d1d8b63.
interface ILegacyMintableERC20 {
    function l1Token() external view returns (address);
    function mint(address _to, uint256 _amount) external;
    function burn(address _from, uint256 _amount) external;
}

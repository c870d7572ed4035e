// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {SafeCall} from "../libraries/SafeCall.sol";
import {L2ToL1MessagePasser} from "./L2ToL1MessagePasser.sol";
import {Predeploys} from "./Predeploys.sol";

/// @title FeeVault
/// @notice Holds one kind of fees until anybody sends them to the recipient. Predeploys:
///         base fees at 0x4200000000000000000000000000000000000019, L1 data fees at
///         0x420000000000000000000000000000000000001A; SequencerFeeVault holds the priority
///         fees.
/// @dev OP Stack specification, "Fee vaults". Who owns the predeploys sets recipient,
///      layer and minimum.
contract FeeVault {
    /// @notice The caller does not own the predeploys.
    error NotTheOwner(address caller);
    /// @notice The balance is below the minimum.
    error BelowMinimum(uint256 balance, uint256 minimum);
    /// @notice There is nobody to pay.
    error NoRecipient();
    /// @notice The recipient did not take the fees.
    error TransferRefused(address recipient);

    /// @notice Layer of the recipient.
    enum WithdrawalNetwork {
        L1,
        L2
    }

    /// @notice Fees were paid out; the event's older form.
    event Withdrawal(uint256 value, address to, address from);
    /// @notice Fees were paid out.
    event Withdrawal(uint256 value, address to, address from, WithdrawalNetwork withdrawalNetwork);
    /// @notice The minimum was changed.
    event MinWithdrawalAmountUpdated(uint256 oldWithdrawalAmount, uint256 newWithdrawalAmount);
    /// @notice The recipient was changed.
    event RecipientUpdated(address oldRecipient, address newRecipient);
    /// @notice The recipient's layer was changed.
    event WithdrawalNetworkUpdated(WithdrawalNetwork oldWithdrawalNetwork, WithdrawalNetwork newWithdrawalNetwork);

    /// @notice L1 gas of a payment to L1.
    uint256 internal constant WITHDRAWAL_MIN_GAS = 400_000;

    /// @notice Smallest balance that is paid out, in wei.
    /// @dev Slot 0.
    uint256 public minWithdrawalAmount;
    /// @notice Who gets the fees.
    /// @dev Slot 1, bits 0..159.
    address public recipient;
    /// @notice Layer of the recipient.
    /// @dev Slot 1, bits 160..167.
    WithdrawalNetwork public withdrawalNetwork;
    /// @notice Wei paid out so far.
    /// @dev Slot 2.
    uint256 public totalProcessed;

    modifier onlyOwner() {
        if (msg.sender != Ownable(Predeploys.PROXY_ADMIN).owner()) revert NotTheOwner(msg.sender);
        _;
    }

    /// @notice Takes fees from anybody; execution credits them without a call.
    receive() external payable {}

    /// @notice Pays out all fees. Anybody may.
    /// @return value_ Wei paid out.
    function withdraw() external returns (uint256 value_) {
        value_ = address(this).balance;
        if (value_ < minWithdrawalAmount) revert BelowMinimum(value_, minWithdrawalAmount);
        address to = recipient;
        if (to == address(0)) revert NoRecipient();
        totalProcessed += value_;
        emit Withdrawal(value_, to, msg.sender);
        emit Withdrawal(value_, to, msg.sender, withdrawalNetwork);
        if (withdrawalNetwork == WithdrawalNetwork.L2) {
            if (!SafeCall.call(to, value_, "")) revert TransferRefused(to);
        } else {
            L2ToL1MessagePasser(payable(Predeploys.L2_TO_L1_MESSAGE_PASSER)).initiateWithdrawal{value: value_}(
                to, WITHDRAWAL_MIN_GAS, ""
            );
        }
    }

    /// @notice Changes the smallest balance that is paid out.
    /// @param _newMinWithdrawalAmount Wei.
    function setMinWithdrawalAmount(uint256 _newMinWithdrawalAmount) external onlyOwner {
        emit MinWithdrawalAmountUpdated(minWithdrawalAmount, _newMinWithdrawalAmount);
        minWithdrawalAmount = _newMinWithdrawalAmount;
    }

    /// @notice Changes who gets the fees.
    /// @param _newRecipient Address on the layer of `withdrawalNetwork`.
    function setRecipient(address _newRecipient) external onlyOwner {
        emit RecipientUpdated(recipient, _newRecipient);
        recipient = _newRecipient;
    }

    /// @notice Changes the recipient's layer.
    function setWithdrawalNetwork(WithdrawalNetwork _newWithdrawalNetwork) external onlyOwner {
        emit WithdrawalNetworkUpdated(withdrawalNetwork, _newWithdrawalNetwork);
        withdrawalNetwork = _newWithdrawalNetwork;
    }

    /// @notice Smallest balance that is paid out, in wei.
    function MIN_WITHDRAWAL_AMOUNT() external view returns (uint256) {
        return minWithdrawalAmount;
    }

    /// @notice Who gets the fees.
    function RECIPIENT() external view returns (address) {
        return recipient;
    }

    /// @notice Layer of the recipient.
    function WITHDRAWAL_NETWORK() external view returns (WithdrawalNetwork) {
        return withdrawalNetwork;
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "1.0.0";
    }
}

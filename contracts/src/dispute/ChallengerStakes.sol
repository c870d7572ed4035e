// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDisputeGame} from "../interfaces/IDisputeGame.sol";
import {AnchorStateRegistry} from "./AnchorStateRegistry.sol";
import {BondVault} from "./BondVault.sol";

/// @title ChallengerStakes
/// @notice Lets one who is right challenge any number of claims with one stake, so that
///         nobody gets a wrong claim through by making more of them than challengers have
///         money. A stake is locked while a claim that it challenged is undecided, and lost
///         with the first one that is found right. The guardian may bar a stake from
///         further challenges, one in each period; what it holds it goes on holding. So
///         holding right claims up takes another stake for each challenge window: claims made
///         after a stake was barred are valid a window later unless another holds them.
contract ChallengerStakes {
    /// @notice A stake is exactly `amount` wei.
    error WrongAmount(uint256 sent, uint256 amount);
    /// @notice The challenger has a stake that may challenge: `id`.
    error AlreadyStaked(uint256 id);
    /// @notice The challenger has no stake that may challenge.
    error NoStake(address challenger);
    /// @notice Only games that count challenge and decide.
    error NotAGame(address caller);
    /// @notice The stake is not the caller's, or was taken back.
    error NotYours(uint256 id);
    /// @notice The stake holds `open` claims that are undecided.
    error StillHolding(uint256 id, uint256 open);
    /// @notice A claim that the stake challenged was right.
    error StakeLost(uint256 id);
    /// @notice The caller is not the guardian.
    error NotGuardian(address caller);
    /// @notice The guardian may bar the next stake at `from`, in seconds since 1970.
    error TooSoon(uint64 from);
    /// @notice No such stake, or it is barred.
    error NothingToBar(uint256 id);

    /// @notice A challenger staked.
    event Staked(uint256 indexed id, address indexed challenger, uint256 amount);
    /// @notice A stake holds the claim of a game.
    event Held(uint256 indexed id, address indexed game);
    /// @notice The claim of a game was decided.
    event Decided(uint256 indexed id, address indexed game, bool challengerWasRight);
    /// @notice The guardian barred a stake.
    event Barred(uint256 indexed id, address indexed challenger);
    /// @notice A stake was given back, through the bond vault.
    event TakenBack(uint256 indexed id, address indexed challenger, uint256 amount);

    /// @notice A stake.
    /// @param owner  Who staked.
    /// @param open   Undecided claims that it holds.
    /// @param barred The guardian has barred it.
    /// @param lost   A claim that it challenged was right.
    /// @param amount Wei that are left of it.
    struct Stake {
        address owner;
        uint64 open;
        bool barred;
        bool lost;
        uint256 amount;
    }

    /// @notice A stake in wei.
    uint256 public immutable AMOUNT;
    /// @notice Seconds between two stakes that the guardian bars.
    uint64 public immutable BAR_PERIOD;
    /// @notice Knows games and the guardian.
    AnchorStateRegistry public immutable REGISTRY;
    /// @notice Pays stakes out.
    BondVault public immutable VAULT;

    /// @notice Stakes by id; ids count from 1.
    /// @dev Slot 0.
    mapping(uint256 id => Stake) public stakes;
    /// @notice The newest stake of a challenger; zero for none.
    /// @dev Slot 1.
    mapping(address challenger => uint256 id) public stakeOf;
    /// @notice The stake that holds the claim of a game; zero for none.
    /// @dev Slot 2.
    mapping(address game => uint256 id) public holderOf;
    /// @notice Number of stakes so far.
    /// @dev Slot 3, bits 0..191.
    uint192 public stakeCount;
    /// @notice When the guardian may bar again, in seconds since 1970.
    /// @dev Slot 3, bits 192..255.
    uint64 public nextBar;

    /// @param amount    A stake in wei.
    /// @param barPeriod Seconds between two stakes that the guardian bars.
    /// @param registry  Knows games and the guardian.
    /// @param vault     Pays stakes out.
    constructor(uint256 amount, uint64 barPeriod, AnchorStateRegistry registry, BondVault vault) {
        AMOUNT = amount;
        BAR_PERIOD = barPeriod;
        REGISTRY = registry;
        VAULT = vault;
    }

    /// @notice Stakes the value sent, which must be `AMOUNT`. Whoever has a stake that may
    ///         challenge needs no other; whose stake is barred or lost may stake again.
    /// @return id Of the stake.
    function stake() external payable returns (uint256 id) {
        if (msg.value != AMOUNT) revert WrongAmount(msg.value, AMOUNT);
        if (mayChallenge(msg.sender)) revert AlreadyStaked(stakeOf[msg.sender]);
        id = ++stakeCount;
        stakes[id] = Stake(msg.sender, 0, false, false, msg.value);
        stakeOf[msg.sender] = id;
        emit Staked(id, msg.sender, msg.value);
    }

    /// @notice Takes a stake back that holds nothing; the bond vault pays it.
    function takeBack(uint256 id) external {
        Stake memory s = stakes[id];
        if (s.owner != msg.sender) revert NotYours(id);
        if (s.lost) revert StakeLost(id);
        if (s.open != 0) revert StillHolding(id, s.open);
        delete stakes[id];
        emit TakenBack(id, msg.sender, s.amount);
        _pay(msg.sender, s.amount);
    }

    /// @notice Bars a stake from further challenges. Its owner may stake again.
    function bar(uint256 id) external {
        if (msg.sender != REGISTRY.PAUSE().guardian()) revert NotGuardian(msg.sender);
        if (block.timestamp < nextBar) revert TooSoon(nextBar);
        if (stakes[id].owner == address(0) || stakes[id].barred) revert NothingToBar(id);
        nextBar = uint64(block.timestamp) + BAR_PERIOD;
        stakes[id].barred = true;
        emit Barred(id, stakes[id].owner);
    }

    /// @notice Has a challenger's stake hold the claim of the calling game.
    function hold(address challenger) external {
        if (!REGISTRY.isGameRegistered(IDisputeGame(msg.sender))) revert NotAGame(msg.sender);
        if (!mayChallenge(challenger)) revert NoStake(challenger);
        uint256 id = stakeOf[challenger];
        stakes[id].open++;
        holderOf[msg.sender] = id;
        emit Held(id, msg.sender);
    }

    /// @notice Tells that the claim of the calling game was decided.
    /// @dev A stake that is lost loses half for good, so that nobody gets all of it back by
    ///      challenging right claims of his own; the rest goes to those whose right claims
    ///      it held, in the order in which they are decided.
    /// @param challengerWasRight Whether the claim was wrong.
    /// @param claimant           Who made it.
    /// @param bond               Wei that the claimant gets of the stake if the claim was
    ///                           right and as much is left.
    function decide(bool challengerWasRight, address claimant, uint256 bond) external {
        uint256 id = holderOf[msg.sender];
        if (id == 0) revert NotAGame(msg.sender);
        delete holderOf[msg.sender];
        Stake storage s = stakes[id];
        s.open--;
        emit Decided(id, msg.sender, challengerWasRight);
        if (challengerWasRight) return;
        if (!s.lost) {
            s.lost = true;
            s.amount -= s.amount / 2;
        }
        uint256 amount = bond < s.amount ? bond : s.amount;
        s.amount -= amount;
        _pay(claimant, amount);
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "1.0.0";
    }

    /// @notice Whether a challenger has a stake that may challenge.
    function mayChallenge(address challenger) public view returns (bool) {
        Stake memory s = stakes[stakeOf[challenger]];
        return s.owner != address(0) && !s.barred && !s.lost;
    }

    function _pay(address to, uint256 amount) internal {
        if (amount == 0) return;
        VAULT.lock{value: amount}();
        VAULT.release(to, amount);
    }
}

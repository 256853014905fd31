namespace NanoFold.Engine.Runs.Scoring;

/// <summary>A row that a model reads, and the tokens that it is asked about.</summary>
/// <param name="Id">By which whoever made it knows it again.</param>
/// <param name="Tokens">What is read, [T].</param>
/// <param name="Targets">The token after each place, [T]; −1 where it is not asked about.</param>
/// <param name="Documents">The document of each place, [T], where places see their own only; otherwise null.</param>
public sealed record ScoredRow(long Id, int[] Tokens, int[] Targets, int[]? Documents = null);

/// <summary>What a model says of a token where it stands.</summary>
/// <param name="Token">Which.</param>
/// <param name="Nats">−ln of its probability.</param>
/// <param name="Predicted">The token of the largest probability; of equal ones the smallest number.</param>
/// <param name="Probability">The probability of that one.</param>
/// <param name="Rank">How many tokens have a larger probability than this one.</param>
/// <param name="Entropy">−Σ p ln p over the vocabulary, in nats.</param>
public readonly record struct TokenScore(int Token, double Nats, int Predicted, double Probability, int Rank, double Entropy)
{
    /// <summary>Whether greedy decoding would have written it.</summary>
    public bool IsGreedy => Predicted == Token;
}

/// <summary>Gets the scores of a row's targets, in their order.</summary>
public delegate void RowScores(ScoredRow row, ReadOnlySpan<TokenScore> scores);

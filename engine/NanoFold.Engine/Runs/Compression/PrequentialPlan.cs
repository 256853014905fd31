namespace NanoFold.Engine.Runs.Compression;

/// <summary>
/// When a model that learns while it codes is trained: after rounds that are a token of each lane longer each, up to half of its context. Steps are as many as go through all of the text so far the given
/// number of times, at least one a round.
/// </summary>
/// <param name="lanes">Bytes of each.</param>
/// <param name="context">Of the model.</param>
/// <param name="tokensPerStep">Tokens that a step is trained on.</param>
/// <param name="passes">How many times a token is trained on, on average.</param>
internal sealed class PrequentialPlan(IReadOnlyList<int> lanes, int context, long tokensPerStep, double passes)
{
    /// <summary>Tokens of each lane in a round, from 0.</summary>
    public int Tokens(long round) => (int)Math.Min(Math.Max(1, context / 2), round + 1);

    /// <summary>Steps after a round in which so many tokens of the text are coded and so many steps taken.</summary>
    public long Steps(long coded, long taken) => Math.Max(1, (long)(passes * coded / tokensPerStep) - taken);

    /// <summary>Steps in all.</summary>
    public int AllSteps()
    {
        long taken = 0, most = lanes.Count == 0 ? 0 : lanes.Max(), each = 0;
        for (long round = 0; each < most; round++)
        {
            each += Tokens(round);
            taken += Steps(lanes.Sum(length => Math.Min(length, each)), taken);
        }

        return (int)Math.Clamp(taken, 1, int.MaxValue);
    }
}

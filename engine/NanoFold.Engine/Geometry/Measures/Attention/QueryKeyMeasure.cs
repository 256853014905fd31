using NanoFold.Engine.Geometry.Heads;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// The form of each head's scores, W_QᵀW_K without positions, biases and norms of queries and keys: the share that is symmetric, and the sign of its eigenvalues. Of
/// kinds of attention with weights on tokens; of latent attention, the part that positions do not turn.
/// </summary>
public sealed record QueryKeyMeasure : MixerMeasure
{
    private const string Query = "attn.hook_q", Key = "attn.hook_k", Value = "attn.hook_v", Estimator = "W_QᵀW_K without positions";

    /// <inheritdoc/>
    public override int Tier => 2;

    /// <inheritdoc/>
    public override string Legend => "QK sym, QK + = symmetric share of W_QᵀW_K (1/2 by chance), and the share of positive eigenvalues in the squares of its symmetric part";

    /// <inheritdoc/>
    public override string Subject => "attention patterns";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("symmetricShare", "QK sym", "0.00"), new("positiveShare", "QK +", "0.00")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Want> Points => [new(Query), new(Key), new(Value), new("attn.hook_pattern", SampleKind.Queries)];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 200.0 * width * width;

    /// <inheritdoc/>
    public override void Take(MixerSample mixer, FigureWriter figures)
    {
        if (mixer.Pattern(SampleKind.Queries) is null || mixer.Weights("q_proj.weight") is not { } query || mixer.Cloud(Query) is not { Shape.Count: 2 } q || mixer.Cloud(Key) is not { Shape.Count: 2 } k)
        {
            return;
        }

        int heads = q.Shape[0], depth = q.Shape[1], width = query.Columns;
        Mean symmetric = default, positive = default, trace = default;
        GeometryStatus status = GeometryStatus.TooFewPoints;
        for (int head = 0; head < heads; head++)
        {
            (double[] Query, double[] Key)? pair = mixer.Weights("k_proj.weight") is { } key
                ? (Rows(query, head * depth, depth), Rows(key, head / (heads / k.Shape[0]) * depth, depth))
                : Latent(mixer, query, heads, depth, head);
            if (pair is not { } of)
            {
                return;
            }

            QueryKeyForm form = QueryKeyForm.Measure(of.Query, of.Key, width);
            status = form.Status == GeometryStatus.Ok || status != GeometryStatus.Ok ? form.Status : status;
            Write(mixer.Head(figures, head, Query), form, width);
            symmetric.Add(form.SymmetricShare);
            positive.Add(form.PositiveShare);
            trace.Add(form.TraceShare);
        }

        figures.Add("symmetricShare", symmetric.Value, status, Estimator + ", mean over heads", heads);
        figures.Add("symmetricShareByChance", QueryKeyForm.SymmetricShareByChance(width), GeometryStatus.Ok, "of independent matrices", heads);
        figures.Add("positiveShare", positive.Value, status, Estimator + ", mean over heads", positive.Count);
        figures.Add("traceShare", trace.Value, status, Estimator + ", mean over heads", trace.Count);
    }

    private static void Write(FigureWriter figures, QueryKeyForm form, int width)
    {
        figures.Add("symmetricShare", form.SymmetricShare, form.Status, Estimator, width);
        figures.Add("positiveShare", form.PositiveShare, form.Status, Estimator, width);
        figures.Add("traceShare", form.TraceShare, form.Status, Estimator, width);
        bool isThere = form.Status == GeometryStatus.Ok;
        figures.Add("positiveEigenvalues", isThere ? form.Positive : null, form.Status, Estimator + ", above 1e-6 of the largest", width);
        figures.Add("negativeEigenvalues", isThere ? form.Negative : null, form.Status, Estimator + ", above 1e-6 of the largest", width);
    }

    private static double[] Rows(WeightSample weights, int first, int count) =>
        Array.ConvertAll(weights.Values.AsSpan(first * weights.Columns, count * weights.Columns).ToArray(), value => (double)value);

    // Keys of the latent c = g ⊙ W_a x (up to a factor of the token): W_b,h diag(g) W_a for the elements that positions do not turn.
    private static (double[] Query, double[] Key)? Latent(MixerSample mixer, WeightSample query, int heads, int depth, int head)
    {
        if (mixer.Weights("kv_a_proj.weight") is not { } down || mixer.Weights("kv_a_norm.weight") is not { } gain || mixer.Weights("kv_b_proj.weight") is not { } up
            || mixer.Cloud(Value) is not { Shape.Count: 2 } v)
        {
            return null;
        }

        int latent = up.Columns, width = query.Columns, own = up.Rows / heads, depthWithout = own - v.Shape[1];
        var key = new double[depthWithout * width];
        for (int i = 0; i < depthWithout; i++)
        {
            for (int r = 0; r < latent; r++)
            {
                double factor = (double)up.Values[(((head * own) + i) * latent) + r] * gain.Values[r];
                for (int c = 0; c < width; c++)
                {
                    key[(i * width) + c] += factor * down.Values[(r * width) + c];
                }
            }
        }

        return (Rows(query, head * depth, depthWithout), key);
    }
}

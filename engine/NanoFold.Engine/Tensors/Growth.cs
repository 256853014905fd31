namespace NanoFold.Engine.Tensors;

/// <summary>Which dimensions of a parameter W [out, in] grow with the width of the model, in the words of arXiv 2203.03466.</summary>
public enum GrowthKind
{
    /// <summary>Neither: biases of what has a fixed width, gains over an element of a head, coefficients of the whole.</summary>
    None,

    /// <summary>What it gives only: embeddings, gains, biases, and matrices that read something of a fixed width.</summary>
    Input,

    /// <summary>Both: matrices between parts of the model.</summary>
    Hidden,

    /// <summary>What it reads only, and what it gives is used as it is: routers.</summary>
    Output,

    /// <summary>What it reads only, and what it gives is divided by the ratio besides: the head. Tied to the embedding it is that, an input.</summary>
    ScaledOutput,
}

/// <summary>How a parameter grew with the width of its model, beside a model of base width.</summary>
/// <param name="Kind">Which of its dimensions do.</param>
/// <param name="Ratio">m, the model's width over the base width; 1 where the width does not decide about rates.</param>
public readonly record struct Growth(GrowthKind Kind, double Ratio)
{
    /// <summary>Not at all: a factor of 1.</summary>
    public static Growth None => new(GrowthKind.None, 1);

    /// <summary>The factor on the learning rate where an update has one size whatever the gradient's (table 8 of arXiv 2203.03466, Adam; routers by table 3).</summary>
    public double OfNormalizedUpdate => Kind is GrowthKind.Hidden or GrowthKind.Output ? 1 / Ratio : 1;

    /// <summary>
    /// The factor on the learning rate where an update of a matrix is orthogonal, √(rows ÷ columns) larger where it is tall (Muon). It then has the spectral norm that what is made
    /// needs, √(rows ÷ columns) at every width (arXiv 2310.17813), but for a matrix whose rows do not grow and whose columns do.
    /// </summary>
    public double OfOrthogonalUpdate => Kind == GrowthKind.Output ? 1 / Math.Sqrt(Ratio) : 1;

    /// <summary>The same where the update is the root of the longer side larger, which grows where columns do.</summary>
    public double OfMatchedUpdate => Kind is GrowthKind.Hidden or GrowthKind.Output ? OfOrthogonalUpdate / Math.Sqrt(Ratio) : 1;

    /// <summary>The factor on the learning rate where an update is as large as the gradient (the same tables, SGD).</summary>
    public double OfGradient => Kind switch
    {
        GrowthKind.Input or GrowthKind.ScaledOutput => Ratio,
        GrowthKind.Output => 1 / Ratio,
        _ => 1,
    };
}

using System.Globalization;

namespace NanoFold.Engine.Experiments.Scaling;

/// <summary>The loss of a model of N parameters after D tokens, L = E + A/N^α + B/D^β (Hoffmann et al. 2022, arXiv 2203.15556).</summary>
/// <param name="E">What no model of any size gets below.</param>
/// <param name="A">What a finite size costs: A/N^α.</param>
/// <param name="Alpha">α.</param>
/// <param name="B">What finitely many tokens cost: B/D^β.</param>
/// <param name="Beta">β.</param>
public readonly record struct ScalingLaw(double E, double A, double Alpha, double B, double Beta)
{
    /// <summary>FLOPs of training per parameter and token, C = 6 N D, by which size and tokens are traded.</summary>
    public const double FlopsPerParameterToken = 6;

    /// <summary>The exponent of the best size: N grows with C^(β/(α + β)).</summary>
    public double SizeExponent => Beta / (Alpha + Beta);

    /// <summary>The exponent of the best number of tokens: D grows with C^(α/(α + β)).</summary>
    public double TokensExponent => Alpha / (Alpha + Beta);

    /// <summary>A coefficient in figures, which may have any size: <c>406.4</c>, <c>1.25e+6</c>.</summary>
    public static string Text(double coefficient, string format = "0.###")
        => Math.Abs(coefficient) < 1e4 ? Display.Number(coefficient, format) : coefficient.ToString("0.###e+0", CultureInfo.InvariantCulture);

    /// <summary>L of N parameters after D tokens.</summary>
    public double Loss(double parameters, double tokens) => E + A * Math.Pow(parameters, -Alpha) + B * Math.Pow(tokens, -Beta);

    /// <summary>
    /// The size and the tokens that are best for so many FLOPs, C = 6 N D: N = G (C/6)^(β/(α+β)), D = (C/6)^(α/(α+β)) / G with G = (αA / βB)^(1/(α+β)).
    /// </summary>
    public (double Parameters, double Tokens) Best(double flops)
    {
        double g = Math.Pow(Alpha * A / (Beta * B), 1 / (Alpha + Beta)), product = flops / FlopsPerParameterToken;
        return (g * Math.Pow(product, SizeExponent), Math.Pow(product, TokensExponent) / g);
    }
}

/// <summary>A model that was trained: what a scaling law is fitted to.</summary>
/// <param name="Parameters">N, all of them, the embedding included.</param>
/// <param name="Tokens">D, trained on.</param>
/// <param name="Loss">L, of what is held back, nats per token; more than 0.</param>
public readonly record struct ScalingPoint(double Parameters, double Tokens, double Loss);

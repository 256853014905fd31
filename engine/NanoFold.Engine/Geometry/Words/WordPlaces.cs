using System.Globalization;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Geometry.Words;

/// <summary>Where a model has a vector for each token: its embedding, its head, or the stream after a block, averaged over a text.</summary>
public static class WordPlaces
{
    /// <summary>The rows of the embedding.</summary>
    public const string Embedding = "embedding";

    /// <summary>The rows of the head.</summary>
    public const string Head = "head";

    /// <summary>All places of a model.</summary>
    public static IReadOnlyList<string> Of(Transformer model) =>
        [Embedding, .. Enumerable.Range(0, model.Config.Layers).Select(layer => layer.ToString(CultureInfo.InvariantCulture)), .. model.Config.Tied ? Array.Empty<string>() : [Head]];

    /// <summary>The vectors at a place, one of <see cref="Of"/>.</summary>
    /// <param name="model">Which model.</param>
    /// <param name="place">Where.</param>
    /// <exception cref="UserException">The model cannot be run so.</exception>
    /// <param name="rows">Tokens of a text, of which the first of each row is left out.</param>
    public static TokenVectors Vectors(Transformer model, string place, IReadOnlyList<int[]> rows)
    {
        if (place is Embedding or Head)
        {
            return new TokenVectors(place == Head ? VocabularyReadOut.HeadOf(model) : VocabularyReadOut.EmbeddingOf(model), model.Config.Width);
        }

        if (SequenceRuns.WhyNot(model) is { } reason)
        {
            throw new UserException($"layer {place}: the model cannot be run on the text alone: {reason}; look at the {Embedding}");
        }

        (int vocab, int width) = (model.Config.Vocab, model.Config.Width);
        var sums = new double[vocab * width];
        var counts = new int[vocab];
        new SequenceRuns
        {
            Points = [$"blocks.{place}.hook_resid_post"],
            Read = (row, _, values) =>
            {
                for (int t = 1; t < rows[row].Length; t++)
                {
                    int token = rows[row][t];
                    counts[token]++;
                    for (int i = 0; i < width; i++)
                    {
                        sums[(token * width) + i] += values[(t * width) + i];
                    }
                }
            },
        }.Run(model, rows);
        return new TokenVectors([.. sums.Select((sum, i) => (float)(sum / Math.Max(1, counts[i / width])))], width, counts);
    }
}

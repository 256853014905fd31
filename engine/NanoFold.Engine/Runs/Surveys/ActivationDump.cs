using System.Runtime.InteropServices;
using System.Text.Json;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Geometry;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Model;
using NanoFold.Engine.Taps;

namespace NanoFold.Engine.Runs.Surveys;

/// <summary>
/// The values of some points of a model over all tokens of the probe, as safetensors and as npz: for other programs to measure. Beside them tokens, texts of the tokens,
/// positions, documents, targets and labels, and which tokens clouds and neighbors are of.
/// </summary>
internal static class ActivationDump
{
    private const long MostBytes = 8L << 30;

    private static readonly JsonSerializerOptions s_plain = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Throws where a pattern meets no point of a model.</summary>
    /// <exception cref="UserException">It does not.</exception>
    public static void RequirePoints(string pattern, Transformer model)
    {
        string[] points = [.. model.TapPoints.Select(point => point.Name)];
        if (!points.Any(point => TapName.Matches(pattern, point)))
        {
            throw UserException.Usage($"--dump '{pattern}' matches no point of the model{TapSet.Instead(pattern, points)}");
        }
    }

    /// <summary>Runs the model once and writes both files.</summary>
    /// <param name="network">The model and its tokens.</param>
    /// <param name="probe">Whose tokens they are: its pass is made.</param>
    /// <param name="pattern">Names of points, with <c>*</c> and <c>?</c>.</param>
    /// <param name="files">Where both files are put in place with the others.</param>
    /// <param name="name">Of the files, without their endings.</param>
    public static void Write(NetworkSample network, GeometryProbe probe, string pattern, SurveyLog files, string name)
    {
        var reader = new WholeReader(pattern);
        probe.RunOnce(new TapSet([reader]));
        string[] texts = [.. network.Tokens.Select(token => network.Tokenizer is null ? network.Task.Symbol(token) : TextOf(network, token))];
        files.Write(name + ".safetensors", stream => Tensors(network, reader, texts).WriteTo(stream));
        files.Write(name + ".npz", stream => Arrays(stream, network, reader, texts));
    }

    private static string TextOf(NetworkSample network, int token) => System.Text.Encoding.UTF8.GetString(network.Tokenizer!.BytesOf(token));

    private static SafeTensorsWriter Tensors(NetworkSample network, WholeReader reader, string[] texts)
    {
        var writer = new SafeTensorsWriter();
        writer.SetMetadata("text", JsonSerializer.Serialize(texts, s_plain));
        foreach ((string name, int[] shape, int[] values) in Integers(network))
        {
            writer.Add(name, SafeTensorType.I32, [.. shape.Select(length => (long)length)], () => MemoryMarshal.AsBytes<int>(values));
        }

        foreach ((string name, (int[] shape, float[] values)) in reader.Values)
        {
            writer.Add(name, [.. shape.Select(length => (long)length)], () => values);
        }

        return writer;
    }

    private static void Arrays(Stream stream, NetworkSample network, WholeReader reader, string[] texts)
    {
        using var writer = new NpzWriter(stream);
        foreach ((string name, int[] shape, int[] values) in Integers(network))
        {
            writer.Add<int>(name, shape, values);
        }

        foreach (LabelColumn column in network.Labels.Where(column => column.Classes.Count > 0))
        {
            writer.Add($"classes/{column.Name}", column.Classes);
        }

        writer.Add("text", texts);
        foreach ((string name, (int[] shape, float[] values)) in reader.Values)
        {
            writer.Add<float>(name, shape, values);
        }
    }

    private static IEnumerable<(string Name, int[] Shape, int[] Values)> Integers(NetworkSample network)
    {
        int[] shape = [network.Batch, network.Time];
        yield return ("tokens", shape, network.Tokens);
        yield return ("positions", shape, [.. Enumerable.Range(0, network.Tokens.Length).Select(i => i % network.Time)]);
        yield return ("documents", shape, network.Documents);
        yield return ("targets", shape, network.Targets);
        foreach (LabelColumn column in network.Labels.Where(column => column.Name is not (LabelColumn.Token or LabelColumn.Next)))
        {
            yield return ($"labels/{column.Name}", shape, column.Values);
        }

        // Tokens of clouds, numbered b · T + t: those at position 0 first; the neighbors are among the first of the others.
        int[] points = network.Points.Rows.ToArray();
        yield return ("rows/points", [points.Length], points);
        int[] later = points[network.Points.First..];
        yield return ("rows/neighbors", [Math.Min(later.Length, network.Shape.Neighbors)], later[..Math.Min(later.Length, network.Shape.Neighbors)]);
    }

    private sealed class WholeReader(string pattern) : ITapReader
    {
        private long _bytes;

        public SortedDictionary<string, (int[] Shape, float[] Values)> Values { get; } = new(StringComparer.Ordinal);

        public string Pattern => pattern;

        public void Read(TapValue value)
        {
            _bytes += (long)value.Count * sizeof(float);
            if (_bytes > MostBytes)
            {
                throw UserException.Usage($"--dump '{pattern}' is more than the {MostBytes >> 30} GB that can be written; a narrower pattern or fewer --tokens take less");
            }

            Values[value.Name] = (value.Layout.ToShape(), value.ToArray());
        }
    }
}

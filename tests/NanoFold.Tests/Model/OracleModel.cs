using System.Text.Json;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Model;

/// <summary>A reference case: the model that its <c>config</c> entry describes, with its weights.</summary>
internal sealed class OracleModel : IDisposable
{
    private readonly SafeTensorsFile _file;

    public OracleModel(string path, Backend backend, DType type)
    {
        _file = SafeTensorsFile.Open(path);
        using JsonDocument document = JsonDocument.Parse(_file.Metadata["config"]);
        JsonElement config = document.RootElement;
        Config = OracleConfig.Read(config);
        LearningRate = config.TryGetProperty("mixerOptions", out _) ? 3e-3 : 1e-2;
        Batch = config.GetProperty("batch").GetInt32();
        Model = new Transformer(Config, backend, type: type);
        foreach (Parameter parameter in Model.Store.Parameters)
        {
            Host.Write(Model.Store, parameter, Find("", parameter));
        }
    }

    public ModelConfig Config { get; }

    /// <summary>Of the ten AdamW steps.</summary>
    public double LearningRate { get; }

    public int Batch { get; }

    public Transformer Model { get; }

    public int[] Integers(string name)
    {
        var values = new int[_file[name].Count];
        _file.Read(name, values);
        return values;
    }

    public double[] Reals(string name)
    {
        var values = new double[_file[name].Count];
        _file.Read(name, values);
        return values;
    }

    public double[] Gradient(Parameter parameter) => Find("grad.", parameter);

    public void Dispose()
    {
        Model.Dispose();
        _file.Dispose();
    }

    // The engine stacks the experts' matrices; its shared experts are one wide feed-forward.
    private double[] Find(string prefix, Parameter parameter)
    {
        if (_file.Find(prefix + parameter.Name) is not null)
        {
            return Reals(prefix + parameter.Name);
        }

        if (OtherName(parameter) is { } other)
        {
            return Reals(prefix + other);
        }

        string parts = parameter.Name.Contains(".shared_experts.", StringComparison.Ordinal) ? ".shared_experts." : ".experts.";
        string[] names = [.. Enumerable.Range(0, Config.FeedForward is MoeConfig moe ? Math.Max(moe.Experts, moe.Shared) : 0)
            .Select(e => prefix + parameter.Name.Replace(parts, $"{parts}{e}.", StringComparison.Ordinal))
            .TakeWhile(name => _file.Find(name) is not null)];
        double[][] matrices = [.. names.Select(Reals)];
        double[] joined = parts == ".shared_experts." && parameter.Name.Contains("down_proj", StringComparison.Ordinal)
            ? SideBySide(matrices, Config.Width)
            : [.. matrices.SelectMany(m => m)];
        return joined.Length == parameter.Layout.Count
            ? joined
            : throw new InvalidDataException($"{_file.Path}: {joined.Length} values in {names.Length} tensors for {prefix}{parameter}");
    }

    // Where the cases leave a name open: the one tensor of its size in the same part of the layer that no parameter has the name of.
    private string? OtherName(Parameter parameter)
    {
        string[] path = parameter.Name.Split('.');
        string part = string.Join('.', path.Take(path is ["model", "layers", ..] ? 4 : 2)) + ".";
        HashSet<string> taken = [.. Model.Store.Parameters.Select(p => p.Name)];
        string[] names = [.. _file.Tensors.Select(t => t.Name)
            .Where(name => name.StartsWith(part, StringComparison.Ordinal) && !taken.Contains(name) && _file[name].Count == parameter.Layout.Count)];
        return names.Length == 1 ? names[0] : null;
    }

    private static double[] SideBySide(double[][] matrices, int rows) =>
        [.. Enumerable.Range(0, rows).SelectMany(row => matrices.SelectMany(m => m.Skip(row * (m.Length / rows)).Take(m.Length / rows)))];
}

using System.Globalization;
using System.Text.Json.Serialization;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Taps;

/// <summary>
/// An edit that belongs to a model: whatever passes the points that it names is edited, wherever the model runs, and gradients see the edited value. A kind is a
/// record of its settings with a line here, beside its editor.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = ConfigJson.Kind)]
[JsonDerivedType(typeof(AblateConfig), "ablate")]
[JsonDerivedType(typeof(SteerConfig), "steer")]
[JsonDerivedType(typeof(PatchConfig), "patch")]
[JsonDerivedType(typeof(ProjectConfig), "project")]
public abstract record EditConfig
{
    /// <summary>The name in configurations.</summary>
    [JsonIgnore]
    public string Kind => Variant.KindOf(this);

    /// <summary>The points that are edited, with * for any run of characters and ? for one: <c>blocks.*.hook_mlp_out</c>.</summary>
    public string Points { get; init; } = "";

    /// <summary>Where they are edited, by <c>positions</c>, <c>from</c>, <c>before</c>, <c>tokens</c>, <c>documents</c>, <c>heads</c> and <c>units</c>; null for everywhere.</summary>
    public TapPlaces? At { get; init; }

    /// <summary>Whether it takes values of another run of a model, so that a model cannot have it for its own.</summary>
    internal virtual bool TakesFromARun => false;

    /// <summary>What is wrong with its settings.</summary>
    public virtual IEnumerable<ConfigProblem> Validate(string path)
    {
        if (Points.Length == 0)
        {
            yield return new ConfigProblem($"{path}.points", "is missing; name the points to edit, such as blocks.0.hook_mlp_out");
        }
        else if (TapName.IsGradient(Points))
        {
            yield return new ConfigProblem($"{path}.points", $"\"{Points}\" are gradients, which can be read and not edited");
        }

        foreach (ConfigProblem problem in At?.Validate($"{path}.at") ?? [])
        {
            yield return problem;
        }
    }

    /// <summary>Its editor, of the places that it is for.</summary>
    /// <param name="tables">The constants of the model, for those that it needs.</param>
    public ITapEditor MakeEditor(TableStore tables) => At is { } places ? Build(tables).At(places) : Build(tables);

    /// <summary>Its editor of all places.</summary>
    /// <param name="tables">The constants of the model, for those that it needs.</param>
    public abstract ITapEditor Build(TableStore tables);
}

/// <summary>Numbers of a configuration, one for each element of a point's last dimension or one for all.</summary>
internal static class GivenVector
{
    public static ConfigProblem? Problem(IReadOnlyList<double> values, string path, double strength = 1) =>
        values.Count == 0 ? new ConfigProblem(path, "is missing; give a number for each element of the point's last dimension, or one for all")
        : values.Index().FirstOrDefault(value => !float.IsFinite((float)(strength * value.Item)), (-1, 0)) is { Index: >= 0 } large
            ? new ConfigProblem($"{path}.{large.Index}", string.Create(CultureInfo.InvariantCulture, $"{strength * large.Item} is more than single precision holds"))
        : null;

    /// <summary>[count], in a model's tables.</summary>
    public static Table Of(TableStore tables, IReadOnlyList<double> values) => tables.Get(
        $"vector {string.Join(' ', values.Select(v => v.ToString("R", CultureInfo.InvariantCulture)))}", Layout.Of(values.Count), () => [.. values]);

    /// <summary>Of the shape of a value.</summary>
    /// <exception cref="UserException">The value's last dimension has another length.</exception>
    public static Tensor Record(Tape tape, string name, Tensor value, Table table)
    {
        int given = (int)table.View.Layout.Count;
        int[] shape = [.. Enumerable.Repeat(1, value.Layout.Rank - 1), given];
        return given == 1 || given == value.Layout[-1]
            ? BroadcastOp.Record(tape, tape.Use(table).Reshape(shape), value.Layout.ToShape())
            : throw new UserException($"tap {name}: {given} numbers are given, but it has {value.Layout[-1]} elements in its last dimension");
    }
}

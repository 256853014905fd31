using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Mixers;

namespace NanoFold.Tests.Configuration;

/// <summary>Kinds that a program registers. The families of the engine stay as they are here, for other tests list them.</summary>
public class KindsTests
{
    [Test]
    public void ARegisteredKindIsReadMergedAndWrittenAsEveryOther()
    {
        Kinds.Register<Shape>("ring", typeof(Ring));
        Kinds.Register<Shape>("ring", typeof(Ring));
        Assert.That(Variant.Of<Shape>().Select(v => v.Kind), Is.EqualTo(new[] { "square", "ring" }));
        Assert.That(Variant.Of<RoundShape>(), Is.EqualTo(new[] { new Variant("ring", typeof(Ring)) }), "a branch of the family has it too");

        var tree = new JsonObject();
        ConfigMerge.Apply(tree, JsonNode.Parse("""{"shape": "ring"}""")!.AsObject(), typeof(Drawing));
        ConfigMerge.Apply(tree, JsonNode.Parse("""{"shape": {"hole": 0.25, "parts": [{"side": 3}]}}""")!.AsObject(), typeof(Drawing));
        var problems = new List<ConfigProblem>();
        var read = (Drawing)new ConfigReader(typeof(Drawing), problems).Read(tree, new Drawing());
        Assert.That(problems, Is.Empty);
        Assert.That(read.Shape, Is.TypeOf<Ring>());
        Assert.That((((Ring)read.Shape).Hole, ((Ring)read.Shape).Parts.Single().Side), Is.EqualTo((0.25, 3)));
        Assert.That(ConfigWriter.ToTree(read, typeof(Drawing))!.ToJsonString(), Is.EqualTo("""{"shape":{"kind":"ring","hole":0.25,"parts":[{"side":3}]}}"""));
    }

    [Test]
    public void WhatIsWrongWithASettingOfARegisteredKindIsSaidAsOfEveryOther()
    {
        Kinds.Register<Shape>("ring", typeof(Ring));
        var problems = new List<ConfigProblem>();
        _ = new ConfigReader(typeof(Drawing), problems).Read(JsonNode.Parse("""{"shape": {"kind": "ring", "hole": 2, "hol": 1}}""")!.AsObject(), new Drawing());
        _ = new ConfigReader(typeof(Drawing), problems).Read(JsonNode.Parse("""{"shape": "rin"}""")!.AsObject(), new Drawing());
        Assert.That(problems.Select(p => p.ToString()), Is.EqualTo(new[]
        {
            "shape.hole: expected a number of at least 0 and at most 1, got 2",
            "shape.hol: unknown key; did you mean shape.hole?",
            "shape: unknown kind \"rin\", did you mean \"ring\"?; known: square, ring",
        }));
    }

    [TestCase("square", typeof(Ring), "the name is taken by Square")]
    [TestCase("quadrat", typeof(Square), "it is registered already as \"square\"")]
    [TestCase("My ring", typeof(Ring), "a name has small letters, digits and dashes, and begins with a letter")]
    [TestCase("attention", typeof(AttentionConfig), "it does not derive from Shape")]
    [TestCase("round", typeof(RoundShape), "it is abstract or generic, so that none can be made")]
    [TestCase("needy", typeof(Needy), "it has no public constructor without parameters; give every setting a default")]
    [TestCase("floating", typeof(Floating), "Size is of type Single; a setting is an int, long, double, bool, string, choice, record, kind, or an IReadOnlyList, IReadOnlyDictionary (by name) or ConfigOverlay of these")]
    [TestCase("named", typeof(Named), "Kind cannot be a setting, for it names the kind")]
    public void WhatCannotBeAKindIsRefused(string kind, Type record, string problem)
        => Assert.That(() => Kinds.Register<Shape>(kind, record), Throws.ArgumentException.With.Message.EqualTo($"kind \"{kind}\" of {record.Name}: {problem}"));

    [Test]
    public void AFamilyIsNamedByItsOwnRecord()
        => Assert.That(
            () => Kinds.Register<Drawing>("drawing", typeof(Drawing)),
            Throws.ArgumentException.With.Message.EqualTo("kind \"drawing\" of Drawing: Drawing is not a family of kinds; one is, for example, MixerConfig"));

    private sealed record Drawing
    {
        public Shape Shape { get; init; } = new Square();
    }

    [JsonDerivedType(typeof(Square), "square")]
    private abstract record Shape;

    private sealed record Square : Shape
    {
        public int Side { get; init; } = 1;
    }

    private abstract record RoundShape : Shape;

    private sealed record Ring : RoundShape
    {
        [Bounds(0, 1)]
        public double Hole { get; init; }

        public IReadOnlyList<Part> Parts { get; init; } = [];
    }

    private sealed record Part
    {
        public int Side { get; init; }
    }

    private sealed record Needy(int Size) : Shape;

    private sealed record Floating : Shape
    {
        public float Size { get; init; }
    }

    private sealed record Named : Shape
    {
        public string Kind { get; init; } = "";
    }
}

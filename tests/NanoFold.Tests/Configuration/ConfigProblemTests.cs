using NanoFold.Engine.Configuration;

namespace NanoFold.Tests.Configuration;

public class ConfigProblemTests
{
    [Test]
    public void EveryProblemIsNamedAtOnce()
    {
        string[] problems = Configs.Problems(
            "model.layer=3", "model.heads=\"six\"", "train.batch=-1", "model.mixer=atention", "train.optimizer=adam", "modle.width=3", "model.tied=1", "data=3");

        Assert.That(problems, Is.EqualTo(new[]
        {
            "model.layer: unknown key; did you mean model.layers?",
            "model.heads: expected an integer of at least 1 and at most 4096, got \"six\"",
            Configs.WithKinds("model.mixer: unknown kind \"atention\", did you mean \"attention\"?; known: {mixers}"),
            "model.tied: expected true or false, got 1",
            "train.batch: expected an integer of at least 0 and at most 1048576 or \"auto\", got -1",
            Configs.WithKinds("train.optimizer: unknown kind \"adam\", did you mean \"adamw\"?; known: {optimizers}"),
            "modle: unknown key; did you mean model?",
            "data: expected a section { … }, got 3",
        }));
    }

    [Test]
    public void TheExceptionIsOneLineAndWrongUsage()
    {
        ConfigException e = Assert.Throws<ConfigException>(() => Configs.Build("model.layer=3", "train.batch=x"))!;

        Assert.That(e.ExitCode, Is.EqualTo(2));
        Assert.That(e.Message, Does.Not.Contain('\n').And.Contain("model.layer: ").And.Contain("; train.batch: "));
        Assert.That(e.Problems, Has.Count.EqualTo(2));
    }

    [TestCase("train.context=3", "train.context: unknown key; did you mean model.context?")]
    [TestCase("layers=3", "layers: unknown key; did you mean model.layers?")]
    [TestCase("model.kv_heads=3", "model.kv_heads: unknown key; did you mean model.kvHeads?")]
    [TestCase("model.Layers=3", "model.Layers: unknown key; did you mean model.layers?")]
    [TestCase("model.mixer.windw=3", "model.mixer.windw: unknown key; known here: ropeDim, rope, ropeBase, ropeScaling, heads, kvHeads, headDim, valueDim, qkNorm, sinkLogits")]
    [TestCase("geometry.xyzzyx=3", "geometry.xyzzyx: unknown key; known here: enabled, every, budget, probeTokens, neighborTokens, measures")]
    [TestCase("model.layers.x=3", "model.layers: expected an integer of at least 1 and at most 4096, got {\"x\":3}")]
    [TestCase("model.layers=1.5", "model.layers: expected an integer of at least 1 and at most 4096, got 1.5")]
    [TestCase("model.layers=99999999999999999999", "model.layers: expected an integer of at least 1 and at most 4096, got 99999999999999999999")]
    [TestCase("model.layers=null", "model.layers: expected an integer of at least 1 and at most 4096, got null")]
    [TestCase("model.dropout=1", "model.dropout: expected a number of at least 0 and less than 1, got 1")]
    [TestCase("model.dropout=1e999", "model.dropout: expected a number of at least 0 and less than 1, got 1e999")]
    [TestCase("model.mixer=7", "model.mixer: expected a kind (one of {mixers}), got 7")]
    [TestCase("model.mixer=[]", "model.mixer: expected a kind (one of {mixers}) or its record, got []")]
    [TestCase("model.mixer=null", "model.mixer: expected a kind (one of {mixers}) or its record, got null")]
    [TestCase("""model.pattern=[{"mixer": {"window": 3}}]""", "model.pattern.0.mixer.kind: is missing; one of {mixers}")]
    [TestCase("""model.pattern=[{"mixr": "top-k"}]""", "model.pattern.0.mixr: unknown key; did you mean model.pattern.0.mixer?")]
    [TestCase("model.pattern=[3]", "model.pattern.0: expected a section { … }, got 3")]
    [TestCase("model.pattern=3", "model.pattern: expected a list, got 3")]
    [TestCase("generation.stop=[3]", "generation.stop.0: expected a string, got 3")]
    [TestCase("generation.stop=x", "generation.stop: expected a list, got \"x\"")]
    [TestCase("train.samplePrompt=null", "train.samplePrompt: expected a string, got null")]
    [TestCase("train.schedule=cosin", "train.schedule: expected one of cosine, linear, wsd, constant, inverse-sqrt, got \"cosin\", did you mean \"cosine\"?")]
    [TestCase("train.schedule=1", "train.schedule: expected one of cosine, linear, wsd, constant, inverse-sqrt, got 1")]
    [TestCase("model.feedForward=swigl", "model.feedForward: unknown kind \"swigl\", did you mean \"swiglu\"?; known: {feedForwards}")]
    [TestCase("model.residual=7", "model.residual: expected a kind (one of {residuals}), got 7")]
    [TestCase("model.feedForward={\"kind\":\"moe\",\"activation\":\"moe\"}", "model.feedForward.activation: unknown kind \"moe\"; known: {activations}")]
    [TestCase("model.feedForward={\"kind\":\"moe\",\"activation\":{\"hidden\":3}}", "model.feedForward.activation: expected a kind (one of {activations}), got {\"hidden\":3}")]
    [TestCase("model.feedForward={\"kind\":\"moe\",\"activation\":3}", "model.feedForward.activation: expected a kind (one of {activations}), got 3")]
    [TestCase("version=0", "version: expected an integer of at least 1 and at most 2147483647, got 0")]
    [TestCase("model.layers", "model.layers: expected key=value, such as model.layers=6")]
    [TestCase("=3", "=3: expected key=value, such as model.layers=6")]
    [TestCase("model..layers=3", "model..layers: expected a dotted key, such as model.layers")]
    public void AProblemSaysWhatWasExpectedAndWhatIsThere(string setting, string problem)
        => Assert.That(Configs.Problems(setting), Is.EqualTo(new[] { Configs.WithKinds(problem) }));

    [TestCase("model.width=130", "model.width: 130 is not a multiple of model.heads = 4; change one of them or set model.headDim")]
    [TestCase("model.kvHeads=3", "model.kvHeads: 3 does not divide model.heads = 4")]
    [TestCase("model.headDim=31", "model.headDim: 31 is odd; rotary positions need an even one")]
    [TestCase("model.mixer={\"kind\":\"attention\",\"heads\":6,\"kvHeads\":4}", "model.mixer.kvHeads: 4 does not divide model.mixer.heads = 6")]
    [TestCase("model.mixer={\"kind\":\"attention\",\"kvHeads\":3}", "model.mixer.kvHeads: 3 does not divide model.heads = 4")]
    [TestCase("model.mixer={\"kind\":\"attention\",\"ropeDim\":34}", "model.mixer.ropeDim: 34 is more than model.headDim = 32")]
    [TestCase("model.mixer={\"kind\":\"attention\",\"ropeDim\":5}", "model.mixer.ropeDim: 5 is odd; rotary positions need an even one")]
    [TestCase("model.mixer={\"kind\":\"attention\",\"headDim\":5}", "model.mixer.headDim: 5 is odd; rotary positions need an even one")]
    [TestCase("model.mixer={\"kind\":\"sliding-window\",\"window\":65}", "model.mixer.window: 65 is more than model.context = 64")]
    [TestCase("model.mixer={\"kind\":\"sliding-window\",\"sinks\":65}", "model.mixer.sinks: 65 is more than model.context = 64")]
    [TestCase("model.mixer={\"kind\":\"differential\",\"heads\":3}", "model.mixer.heads: 3 is odd; differential attention takes one head off another, so it needs an even number")]
    [TestCase("model.mixer={\"kind\":\"differential\",\"heads\":6,\"kvHeads\":3}", "model.mixer.kvHeads: 3 is odd; two heads of keys share one of values, so differential attention needs an even number, or 1")]
    [TestCase("model.mixer={\"kind\":\"latent-attention\",\"ropeDim\":3}", "model.mixer.ropeDim: 3 is odd; rotary positions need an even one")]
    [TestCase("model.mixer={\"kind\":\"latent-attention\",\"latent\":129}", "model.mixer.latent: 129 is more than the width 128 that it is made of")]
    [TestCase("model.mixer={\"kind\":\"latent-attention\",\"latent\":40,\"nopeDim\":4,\"valueDim\":4}", "model.mixer.latent: 40 is more than the 32 elements of keys and values that are made of it")]
    [TestCase("model.mixer={\"kind\":\"top-k\",\"topK\":65}", "model.mixer.topK: 65 is more than model.context = 64")]
    [TestCase("model.mixer={\"kind\":\"gated-attention\",\"gate\":\"G5\",\"granularity\":\"headwise\"}", "model.mixer.granularity: cannot be \"headwise\" with gate \"G5\": the output of W_o has no heads")]
    [TestCase("model.feedForward={\"kind\":\"moe\",\"experts\":2,\"active\":3}", "model.feedForward.active: 3 is more than model.feedForward.experts = 2")]
    [TestCase("model.pattern=[{\"repeat\":3}]", "model.pattern: has 3 layers, which does not divide model.layers = 4")]
    [TestCase("model.pattern=[{\"repeat\":8}]", "model.pattern: has 8 layers, which does not divide model.layers = 4")]
    [TestCase("model.pattern=[]", "model.pattern: is empty; use null for layers that are all alike")]
    [TestCase("model.pattern=[{\"mixer\":{\"kind\":\"top-k\",\"topK\":65}}]", "model.pattern.0.mixer.topK: 65 is more than model.context = 64")]
    [TestCase("train.warmup=2001", "train.warmup: 2001 is more than train.steps = 2000")]
    [TestCase("model.vocab=100", "model.vocab: 100 is less than the tokenizer's 256 symbols; use 0 to take the tokenizer's")]
    [TestCase("data.path=", "data.path: is empty; use null for the default corpus")]
    [TestCase("generation.stop=[\"a\",\"\"]", "generation.stop.1: is empty and would end every sample at once")]
    public void WhatIsInconsistentIsAProblem(string setting, string problem)
        => Assert.That(Configs.Problems(setting), Is.EqualTo(new[] { Configs.WithKinds(problem) }));

    [Test]
    public void InconsistenciesOfAllSectionsAreNamedAtOnce()
    {
        string[] problems = Configs.Problems(
            "model.width=130", "model.kvHeads=3", "model.mixer=top-k", "model.mixer.topK=100", "train.optimizer=adamw", "train.matrixLearningRate=0.1",
            "train.matrixWeightDecay=0.1", "train.schedule=wsd", "train.warmup=1900", "data.documents=join", "data.maskDocuments=true", "tokenizer=file");

        Assert.That(problems.Select(problem => problem[..problem.IndexOf(": ", StringComparison.Ordinal)]), Is.EqualTo(new[]
        {
            "tokenizer.path", "data.maskDocuments", "model.width", "model.kvHeads", "model.mixer.topK",
            "train.decayFraction", "train.matrixLearningRate", "train.matrixWeightDecay",
        }));
    }

    [Test]
    public void WhatTwoMixersFindOfTheModelIsNamedOnce()
        => Assert.That(Configs.Problems("model.kvHeads=3", "model.pattern=[{},{\"mixer\":\"top-k\"}]"), Is.EqualTo(new[] { "model.kvHeads: 3 does not divide model.heads = 4" }));

    [Test]
    public void WithoutHeadsTheirShapeDoesNotMatter()
        => Assert.That(Configs.Build("model.width=130", "model.kvHeads=3", "model.mixer=none").Model.Width, Is.EqualTo(130));

    [Test]
    public void AnOddHeadDimensionIsFineWithoutRotaryPositions()
        => Assert.That(Configs.Build("model.headDim=31", "model.position=learned").Model.HeadDim, Is.EqualTo(31));
}

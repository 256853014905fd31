using NanoFold.Engine.Experiments.Comparisons;
using NanoFold.Engine.Experiments.Results;

namespace NanoFold.Tests.Experiments.Results;

/// <summary>A search whose best is at an end of what was tried may have missed a better one.</summary>
public class SearchWordsTests
{
    private const string Rates = "The best learning rate is at an end of those tried for a (0.1): a better one may lie beyond.";

    [TestCase("[0, 0.1, 0.3]", 0, "", TestName = "A decay of 0 has nothing beyond it")]
    [TestCase("[0, 0.1, 0.3]", 1, "", TestName = "A decay in the middle")]
    [TestCase("[0, 0.1, 0.3]", 2, "0.3", TestName = "The largest decay")]
    [TestCase("[0.1, 0.2, 0.3]", 0, "0.1", TestName = "The smallest decay that is not 0")]
    [TestCase("[0.1]", 0, "", TestName = "A single decay was not searched for")]
    public void ABestDecayAtAnEndIsSaid(string decays, int best, string said)
    {
        using var folder = new ComparisonFolder($$""" "equal": "none", "seeds": [1], "learningRates": [0.01, 0.1], "weightDecays": {{decays}}, "variants": { "a": {}, "b": { "model.layers": 2 } } """);
        IReadOnlyList<ComparedRun> search = folder.Comparison.Search(folder.Variant("a"));
        double[] all = [.. folder.Comparison.WeightDecays];
        foreach (ComparedRun run in search)
        {
            folder.Ended(run, ("validationLoss", 2 - run.Point.LearningRate!.Value + Math.Abs(Array.IndexOf(all, run.Point.WeightDecay!.Value) - best)));
        }

        string[] words = [.. ResultCollector.Collect(folder.Path).Summary.Where(line => line.Contains("at an end of those tried", StringComparison.Ordinal))];
        Assert.That(words, Is.EqualTo(said.Length == 0 ? new[] { Rates } : [Rates, $"The best weight decay is at an end of those tried for a ({said}): a better one may lie beyond."]));
    }
}

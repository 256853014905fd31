using NanoFold.Engine;
using NanoFold.Engine.Experiments.Comparisons;

namespace NanoFold.Tests.Experiments.Comparisons;

/// <summary>The folder of a comparison: the same goes on, more is added, another is refused with what is another.</summary>
public class ComparisonFolderTests
{
    private const string Usual = """ "seeds": [1, 2], "learningRates": [1e-3, 3e-3], "variants": { "a": {}, "b": { "model.layers": 3 } } """;

    [TestCase(Usual)]
    [TestCase(""" "seeds": [1, 2, 3], "learningRates": [1e-3, 3e-3, 1e-2], "variants": { "a": {}, "c": { "model.layers": 1 }, "b": { "model.layers": 3 } } """, TestName = "More seeds, rates and variants")]
    public void TheSameAndMoreOfItGoOn(string rest)
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "c");
        ComparisonFolder.Take(path, Plan(Usual));
        Comparison next = Plan(rest);
        ComparisonFolder.Take(path, next);
        Assert.That(Comparison.Load(path).ToJson(), Is.EqualTo(next.ToJson()));
        Assert.That(ComparisonFolder.TakeUnused(path, next), Is.EqualTo(path));
    }

    [TestCase(""" "seeds": [2], "learningRates": [1e-3, 3e-3], "variants": { "a": {}, "b": { "model.layers": 3 } } """, "seeds 1, 2")]
    [TestCase(""" "seeds": [1, 2], "learningRates": [1e-3, 4e-3], "variants": { "a": {}, "b": { "model.layers": 3 } } """, "the rates learning rate 0.001; learning rate 0.003")]
    [TestCase(""" "seeds": [1, 2], "learningRates": [1e-3, 3e-3], "variants": { "a": {}, "c": { "model.layers": 3 } } """, "variant \"b\"")]
    [TestCase(""" "seeds": [1, 2], "learningRates": [1e-3, 3e-3], "variants": { "a": {}, "b": { "model.layers": 3, "model.bias": true } } """, "b: model.bias = false")]
    [TestCase(""" "seeds": [1, 2], "learningRates": [1e-3, 3e-3], "equal": "none", "variants": { "a": {}, "b": { "model.layers": 3 } } """, "equal = \"tokens\", budget = 30720")]
    public void AnotherIsRefused(string rest, string difference)
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "c");
        ComparisonFolder.Take(path, Plan(Usual));
        string before = File.ReadAllText(Path.Combine(path, Comparison.FileName));
        var fault = Assert.Throws<UserException>(() => ComparisonFolder.Take(path, Plan(rest)));
        Assert.That(fault!.Message, Is.EqualTo($"{path}: holds another comparison, with {difference}; give that, or name another folder with --out"));
        Assert.That(File.ReadAllText(Path.Combine(path, Comparison.FileName)), Is.EqualTo(before));
        Assert.That(ComparisonFolder.TakeUnused(path, Plan(rest)), Is.EqualTo($"{path}-2"));
    }

    [Test]
    public void ShardsThatBeginAtOnceHaveOneFolderAndOtherComparisonsTheirOwn()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "c");
        Comparison[] plans = [Plan(Usual), Plan(Usual.Replace("3 }", "1 }", StringComparison.Ordinal))];
        var taken = new string[8];
        Thread[] threads = [.. Enumerable.Range(0, taken.Length).Select(i => new Thread(() => taken[i] = ComparisonFolder.TakeUnused(path, plans[i % 2])))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        string[] even = [.. taken.Where((_, i) => i % 2 == 0).Distinct()], odd = [.. taken.Where((_, i) => i % 2 == 1).Distinct()];
        Assert.That((even.Length, odd.Length), Is.EqualTo((1, 1)));
        Assert.That(new[] { even[0], odd[0] }, Is.EquivalentTo(new[] { path, $"{path}-2" }));
        Assert.That((Comparison.Load(even[0]).ToJson(), Comparison.Load(odd[0]).ToJson()), Is.EqualTo((plans[0].ToJson(), plans[1].ToJson())));
    }

    [Test]
    public void WhatAProcessLeftThatWasEndedBeforeItWroteTheComparisonIsTaken()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["runs"]);
        File.WriteAllText(folder["run.lock"], "1\n");
        File.WriteAllText(folder["comparison.json.tmp-1"], "{");
        ComparisonFolder.Take(folder.Path, Plan(Usual));
        Assert.That(Comparison.Load(folder.Path).Variants, Has.Count.EqualTo(2));
    }

    [Test]
    public void AFolderWithOtherFilesIsLeftAlone()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(Path.Combine(folder.Path, "notes.txt"), "mine");
        var fault = Assert.Throws<UserException>(() => ComparisonFolder.Take(folder.Path, Plan(Usual)));
        Assert.That(fault!.Message, Does.EndWith("is not empty and holds no comparison; name another folder with --out"));
        Assert.That(Directory.GetFileSystemEntries(folder.Path), Has.Length.EqualTo(1));
        Assert.That(Assert.Throws<UserException>(() => Comparison.Load(folder.Path))!.Message, Does.EndWith("is not the folder of a comparison; there is no comparison.json in it"));
    }

    private static Comparison Plan(string rest) => ComparisonPlan.Of(ComparisonFileTests.Read($$"""
        { "base": { "tokenizer": "byte", "model": { "layers": 2, "width": 32 }, "train": { "steps": 40 } }, {{(rest.Contains("equal", StringComparison.Ordinal) ? "" : "\"equal\": \"tokens\",")}} {{rest}} }
        """));
}

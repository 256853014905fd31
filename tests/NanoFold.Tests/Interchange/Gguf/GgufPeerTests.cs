using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Interchange;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Interchange.Gguf;

/// <summary>Every GGUF file of the published reference cases: logits as transformers computes them of its values, tokens as llama.cpp gives them.</summary>
[Category("Published")]
public class GgufPeerTests : EngineTests
{
    private const string Folder = "peers/gguf", Text = "First Citizen:\nBefore we proceed any further, hear me speak. 12 don't", Stories = "stories260K-f16";

    private static IEnumerable<string> Cases => SharedData.Find(Folder) is { } folder
        ? Directory.GetFiles(folder, "*.gguf").Select(path => Path.GetFileNameWithoutExtension(path)).Order(StringComparer.Ordinal)
        : ["none"];

    [TestCaseSource(nameof(Cases))]
    public void LogitsAndTokensAreThoseOfTheFile(string name)
    {
        var agreement = new CaseAgreement("gguf", name);
        string path = Path.Combine(SharedData.Path(Folder), $"{name}.gguf");
        using ForeignModel model = ForeignModel.TryOpen(path)!;
        using var read = new ForeignNumbers(model, Backend(threads: 2));
        if (name == Stories)
        {
            using SafeTensorsFile stories = SafeTensorsFile.Open(Path.Combine(SharedData.Path(Folder), "stories260K.expected.safetensors"));
            StoriesAreTold(agreement, model, read, stories);
            return;
        }

        using SafeTensorsFile expected = SafeTensorsFile.Open(Path.ChangeExtension(path, ".expected.safetensors"));
        int[] tokens = ForeignNumbers.Integers(expected, "tokens");
        agreement.Off(read.LogitsOff(tokens, SharedData.Reals(expected, "logits")), name.StartsWith("llama256", StringComparison.Ordinal) ? 4e-4 : 2e-4, "logits");
        Assert.That(model.Tokenizer!.EncodePrompt(Text, specials: false), Is.EqualTo(tokens));
        Assert.That(model.Tokenizer.Vocab, Is.EqualTo(model.Config.Vocab));
        agreement.Same("ids");
        agreement.Record();
    }

    // For four prompts the logits, and for the first 200 tokens of which each is the likeliest.
    private static void StoriesAreTold(CaseAgreement agreement, ForeignModel model, ForeignNumbers read, SafeTensorsFile expected)
    {
        for (int i = 0; i < 4; i++)
        {
            agreement.Off(read.LogitsOff(ForeignNumbers.Integers(expected, $"p{i}.tokens"), SharedData.Reals(expected, $"p{i}.logits.f16")), 2e-4, "logits");
        }

        foreach (JsonObject line in File.ReadLines(Path.Combine(SharedData.Path(Folder), "stories260K.greedy.jsonl")).Select(line => JsonNode.Parse(line)!.AsObject()).Where(line => (string)line["weights"]! == "f16").Take(1))
        {
            int[] prompt = [.. line["prompt_tokens"]!.AsArray().Select(token => (int)token!)];
            Assert.That(read.Greedy(prompt, 200), Is.EqualTo(line["tokens"]!.AsArray().Select(token => (int)token!)), (string)line["prompt"]!);
            Assert.That(model.Tokenizer!.EncodePrompt((string)line["prompt"]!, specials: false), Is.EqualTo(prompt));
        }

        agreement.Same("200 greedy tokens, ids");
        agreement.Record();
    }
}

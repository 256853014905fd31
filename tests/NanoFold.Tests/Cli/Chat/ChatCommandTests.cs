using System.Text.Json.Nodes;
using NanoFold.Cli.Commands.Chat;
using NanoFold.Engine.Text.Chat;
using NanoFold.Tests.Interchange;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Cli.Chat;

/// <summary>The verb <c>chat</c> with lines that come from a file: answers, commands, faults; and templates that come and go with models.</summary>
[NonParallelizable]
public class ChatCommandTests
{
    private TrainRig _rig = null!;

    [OneTimeSetUp]
    public void SetUp()
    {
        _rig = new TrainRig();
        _rig.Train("run", "train.steps=2", "model.context=160");
    }

    [OneTimeTearDown]
    public void TearDown() => _rig.Dispose();

    [TearDown]
    public void Forget() => ChatInput.Given = null;

    [Test]
    public void EachLineIsATurnAndItsAnswerIsTheOneThatGenerateGives()
    {
        CommandLine run = Chat("Hello\n\nand you?\n", "--temperature", "0", "--max-tokens", "8", "--system", "Be kind.", "--json");
        Assert.That(run.Code, Is.Zero, run.Error);
        JsonObject result = JsonNode.Parse(run.Standard)!.AsObject();
        Assert.That(result["messages"]!.AsArray().Select(m => (string)m!["role"]!), Is.EqualTo(new[] { "system", "user", "assistant", "user", "assistant" }));
        Assert.That((string)result["template"]!, Is.EqualTo("plain"));
        Assert.That(run.ErrorLines[0], Is.EqualTo("nanofold: the model has no chat template: the plain one is used, lines that begin with User: and Assistant:"));
        JsonNode first = result["answers"]![0]!;
        JsonNode alone = CommandLine.Json("generate", "--model", _rig["run"], "--temperature", "0", "--max-tokens", "8", "--prompt", "Be kind.\nUser: Hello\nAssistant:", "--stop", "\nUser:")["samples"]![0]!;
        Assert.That(first["tokenIds"]!.ToJsonString(), Is.EqualTo(alone["tokenIds"]!.ToJsonString()));
        Assert.That(((string)first["finish"]!, (int)first["droppedMessages"]!), Is.EqualTo(("length", 0)));
    }

    [Test]
    public void CommandsChangeTheConversation()
    {
        string saved = _rig["talk.jsonl"];
        CommandLine run = Chat($"one\n/undo\n/undo\n/set max-tokens 2\n/set\n//slash\n/save {saved}\n/retry\n/reset New.\n/help\n/exit\nnever\n", "--max-tokens", "3", "--seed", "4", "--json");
        Assert.That(run.Code, Is.Zero, run.Error);
        JsonObject result = JsonNode.Parse(run.Standard)!.AsObject();
        Assert.That(result["answers"]!.AsArray().Select(answer => answer!["tokenIds"]!.AsArray().Count), Is.EqualTo(new[] { 3, 2, 2 }));
        Assert.That(result["messages"]!.ToJsonString(), Is.EqualTo("[{\"role\":\"system\",\"content\":\"New.\"}]"));
        Assert.That(run.Error, Does.Contain("the last question and its answer are taken back").And.Contain("there is no question to take back").And.Contain("max-tokens          2").And.Contain("/undo"));
        JsonArray messages = JsonNode.Parse(File.ReadAllText(saved))!["messages"]!.AsArray();
        Assert.That((messages.Count, (string)messages[0]!["content"]!, (string)messages[1]!["role"]!), Is.EqualTo((2, "/slash", "assistant")));
    }

    [Test]
    public void OldTurnsAreLeftOutAndThatIsSaid()
    {
        CommandLine run = Chat(string.Concat(Enumerable.Repeat("a question of some length\n", 5)), "--max-tokens", "4", "--seed", "1", "--json");
        JsonArray answers = JsonNode.Parse(run.Standard)!["answers"]!.AsArray();
        Assert.That((run.Code, (int)answers[0]!["droppedMessages"]!, (int)answers[4]!["droppedMessages"]!), Is.EqualTo((0, 0, 4)));
        Assert.That(run.Error, Does.Contain("the oldest 4 messages were left out: all of them do not fit into the context"));
        Assert.That(answers.All(answer => (int)answer!["promptTokens"]! <= 156));
    }

    [TestCase("/fly\n", "/fly: is no command; /help lists them, and a message that begins with a slash is written with two")]
    [TestCase("/set warmth 2\n", "/set warmth: is no setting; those that are: temperature, top-k, top-p, min-p, repetition-penalty, max-tokens, seed")]
    [TestCase("/set top-p 2\n", "generation.topP: expected a number of more than 0 and at most 1, got 2")]
    [TestCase("/set top-k many\n", "/set top-k: expected one number")]
    [TestCase("/set =\n", "/set =: is no setting; those that are: temperature")]
    [TestCase("/set top-k 1.5\n", "/set top-k: expected a whole number")]
    [TestCase("/set\ttemperature\thot\n", "/set temperature: expected one number")]
    [TestCase("/save\n", "/save needs the name of a file")]
    [TestCase("/save /\n", "/save /: is a folder; name a file")]
    public void AFaultIsALineAndTheConversationGoesOn(string line, string problem)
    {
        CommandLine run = Chat($"{line}hi\n", "--max-tokens", "1", "--seed", "1", "--json");
        Assert.That(run.Code, Is.EqualTo(1), "nobody saw it");
        Assert.That(run.Error, Does.Contain($"nanofold: {problem}"));
        Assert.That(JsonNode.Parse(run.Standard)!["answers"]!.AsArray(), Has.Count.EqualTo(1));
    }

    [Test]
    public void AMessageThatIsTooLongIsRefusedAndTheNextIsAnswered()
    {
        CommandLine run = Chat($"{new string('x', 400)}\nhi\n", "--max-tokens", "1", "--seed", "1", "--json");
        Assert.That((run.Code, JsonNode.Parse(run.Standard)!["messages"]!.AsArray().Count), Is.EqualTo((1, 2)));
        Assert.That(run.Error, Does.Contain("the message is too long: 417 tokens with what stands before it, where 159 leave room for an answer"));
    }

    [Test]
    public void ATemplateOfAFileIsTakenOrRefused()
    {
        string good = _rig.Write("good.jinja", "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[a]");
        JsonObject result = JsonNode.Parse(Chat("hi\n", "--template", good, "--max-tokens", "1", "--seed", "1", "--json").Standard)!.AsObject();
        Assert.That(((string)result["template"]!, (int)result["answers"]![0]!["promptTokens"]!), Is.EqualTo((good, 11)));

        string broken = _rig.Write("broken.jinja", "a\n{% for %}");
        CommandLine run = Chat("hi\n", "--template", broken);
        Assert.That((run.Code, run.ErrorLines.Last()), Is.EqualTo((1, $"nanofold: {broken}, line 2: Expected an expression, got 'end of statement block'")));

        string strict = _rig.Write("strict.jinja", "{{ raise_exception('no such role') }}");
        run = Chat("hi\n", "--template", strict, "--seed", "1");
        Assert.That((run.Code, run.ErrorLines.Last()), Is.EqualTo((1, $"nanofold: {strict}, line 1: no such role")));
    }

    [Test]
    public void ATemplateComesAndGoesWithItsModel()
    {
        const string source = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}";
        string theirs = ForeignFolders.WithTokenizer(ForeignFolders.Write(_rig["llama"], ForeignFolders.Llama));
        File.WriteAllText(Path.Combine(theirs, ChatTemplate.FileName), source);
        Assert.That((bool)CommandLine.Json("import", theirs, "--out", _rig["ours"])["chatTemplate"]!, Is.True);
        Assert.That(File.ReadAllText(_rig["ours/" + ChatTemplate.FileName]), Is.EqualTo(source));

        CommandLine.Json("export", "--model", _rig["ours"], "--format", "huggingface", "--out", _rig["back"]);
        Assert.That(File.ReadAllText(_rig["back/" + ChatTemplate.FileName]), Is.EqualTo(source));
        Assert.That((string?)JsonNode.Parse(File.ReadAllText(_rig["back/tokenizer_config.json"]))!["chat_template"], Is.EqualTo(source));
        CommandLine.Json("export", "--model", _rig["ours"], "--format", "gguf", "--out", _rig["model.gguf"]);
        using Engine.Interchange.ForeignModel file = Engine.Interchange.ForeignModel.TryOpen(_rig["model.gguf"])!;
        Assert.That(file.ChatTemplate, Is.EqualTo(source));
    }

    private CommandLine Chat(string lines, params string[] options)
    {
        ChatInput.Given = new StringReader(lines);
        return CommandLine.Run(["chat", "--model", _rig["run"], .. options]);
    }
}

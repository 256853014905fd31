using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Cli.Writing;
using NanoFold.Engine;
using NanoFold.Engine.Runs;

namespace NanoFold.Cli.Commands;

/// <summary><c>settings</c>: every key of a configuration, with type, default and meaning.</summary>
internal static class SettingsCommand
{
    // Of a page that goes somewhere else than to a terminal.
    private const int Width = 80;

    public static void Build(VerbCommand command)
    {
        var pattern = new Argument<string>("GLOB")
        {
            Description = "Keys to show, such as train.*rate or model.mixer; all if not given",
            DefaultValueFactory = static _ => "*",
        };
        command.Add(pattern);
        Option<bool> markdown = command.Flag("--markdown", "Write them as the page docs/settings.md");
        command.Common = [];
        command.JsonKeys = "settings [{key, kinds [], type, default, resolved (in preset nano, or null), meaning, choices [{name, meaning}]}]";
        command.Does(invocation => Run(invocation, invocation.Get(pattern)!, invocation.Get(markdown)));
    }

    private static int Run(Invocation invocation, string pattern, bool asPage)
    {
        var settings = Settings.Read();
        Setting[] keys = [.. settings.Keys.Where(setting => setting.Matches(pattern))];
        if (keys.Length == 0)
        {
            throw UserException.Usage($"no key is like '{pattern}'; '{Program.Name} settings' shows all of them");
        }

        Output output = invocation.Output;
        if (asPage)
        {
            output.Text.Write(SettingsPage.Of(settings, keys));
        }
        else
        {
            Array.ForEach(keys, setting => Show(setting, output.Text));
        }

        output.Result(new JsonObject { ["settings"] = new JsonArray([.. keys.Select(Describe)]) });
        return Faults.Done;
    }

    private static void Show(Setting setting, TextWriter text)
    {
        string of = setting.Kinds.Count > 0 ? $"  ({string.Join(", ", setting.Kinds)})" : "";
        string becomes = setting.Resolved is { } resolved ? $" -> {resolved}" : "";
        Wrap($"{setting.Key} = {setting.Default}{becomes}{of}", "", text);
        Wrap(setting.Type, "    ", text);
        Wrap(setting.Meaning, "    ", text);
        foreach ((string name, string meaning) in setting.Choices)
        {
            Wrap($"{name}: {meaning}", "      ", text);
        }

        text.WriteLine();
    }

    private static void Wrap(string line, string indent, TextWriter text)
    {
        foreach (string part in TextLayout.Wrap(indent + line, Output.Columns(text) is > 0 and var columns ? columns : Width))
        {
            text.WriteLine(part);
        }
    }

    private static JsonObject Describe(Setting setting) => new()
    {
        ["key"] = setting.Key,
        ["kinds"] = new JsonArray([.. setting.Kinds.Select(kind => (JsonNode)kind)]),
        ["type"] = setting.Type,
        ["default"] = setting.Default,
        ["resolved"] = setting.Resolved,
        ["meaning"] = setting.Meaning,
        ["choices"] = new JsonArray([.. setting.Choices.Select(choice => (JsonNode)new JsonObject { ["name"] = choice.Name, ["meaning"] = choice.Meaning })]),
    };
}

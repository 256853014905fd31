using NanoFold.Engine.Autograd;

namespace NanoFold.Tests.Taps;

public class TapNameTests
{
    [TestCase("*", "blocks.3.hook_resid_post", true)]
    [TestCase("blocks.*.hook_resid_post", "blocks.3.hook_resid_post", true)]
    [TestCase("blocks.*.hook_resid_post", "blocks.12.hook_resid_post", true)]
    [TestCase("blocks.?.hook_resid_post", "blocks.12.hook_resid_post", false)]
    [TestCase("blocks.?.hook_resid_post", "blocks.1.hook_resid_post", true)]
    [TestCase("blocks.3.*", "blocks.3.attn.hook_q", true)]
    [TestCase("blocks.3.*", "blocks.30.attn.hook_q", false)]
    [TestCase("hook_embed", "hook_embed", true)]
    [TestCase("hook_embed", "Hook_embed", false)]
    [TestCase("hook", "hook_embed", false)]
    [TestCase("", "hook_embed", false)]
    [TestCase("*.hook_*", "blocks.0.mlp.hook_post", true)]
    [TestCase("blocks[0]", "blocks0", false)]
    public void StarsAndQuestionMarksMatch(string pattern, string name, bool matches) =>
        Assert.That(TapName.Matches(pattern, name), Is.EqualTo(matches));
}
